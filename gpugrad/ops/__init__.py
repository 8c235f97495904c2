"""The ops, one module or folder per family; a folder holds the family's paths on devices beside its declarations."""

from ..autograd.op import OPS
from ..autograd.paths import FAMILIES

FAMILIES.add(__name__)


def ops_with_path(kind: str) -> list[str]:
    """Import the modules of the paths on this kind of device, and return the names of the ops that have one."""
    return [name for name, op in OPS.items() if op.paths[kind] is not None]
