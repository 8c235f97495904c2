"""The ops, one module or folder per family; a folder holds the family's paths on devices beside its declarations."""

from ..autograd.op import OPS
from ..autograd.paths import FAMILIES

FAMILIES.add(__name__)


def ops_with_path(kind: str) -> list[str]:
    """Return the names of all ops that have their own path on this kind of device, whose modules are imported for that."""
    return [name for name, op in OPS.items() if op.paths[kind] is not None]
