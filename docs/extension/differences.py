"""The table of what PyTorch means by names that NumPy has too, from `gpugrad.torch.language.TABLE`."""

from gpugrad.torch.language import language_table

from .folder import Folder


def write(folder: Folder) -> None:
    """Write the table, which the page start/coming.md includes."""
    folder.write("differences.inc", language_table() + "\n")
