"""The ops, one module or folder per family; a folder holds the family's paths on devices beside its declarations."""

from ..autograd.paths import FAMILIES

FAMILIES.add(__name__)
