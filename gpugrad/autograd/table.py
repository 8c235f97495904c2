"""The op table: every declared op under its name. It is filled by `op.py`, and read by modules below it as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .op import Op

OPS: dict[str, Op] = {}
