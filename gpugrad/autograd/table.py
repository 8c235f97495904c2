"""The op table: every declared op under its name. `op.py` fills it, and modules below `op.py` read it as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .op import Op

OPS: dict[str, Op] = {}
