"""Inventories of the names of NumPy, CuPy and PyTorch that pages here link to, for builds without a network.

The names are lists in docs/inventories, from which the files that intersphinx reads are made. `python -m
extension.inventories`, run in docs/ where the three libraries are installed, makes the lists anew.
"""

import zlib
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
SITES = {
    "numpy": ("https://numpy.org/doc/stable/", "reference/generated/$"),
    "cupy": ("https://docs.cupy.dev/en/stable/", "reference/generated/$"),
    "torch": ("https://docs.pytorch.org/docs/stable/", "generated/$"),
}


@cache
def known(library: str) -> dict[str, str]:
    """Return the listed names of a library, with what they are: `function` or `class`."""
    lines = (HERE / "inventories" / f"{library}.txt").read_text(encoding="utf-8").splitlines()
    return {name: kind for name, kind in map(str.split, lines)}


def mapping(folder: Path) -> dict[str, tuple[str, tuple[str | None, ...]]]:
    """Write the inventories to `folder`, and return intersphinx's mapping: a site's own, else the one written here."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, tuple[str, tuple[str | None, ...]]] = {}
    for library, (site, page) in SITES.items():
        path = folder / f"{library}.inv"
        path.write_bytes(_inventory(library, page))
        found[library] = site, (None, str(path))
    return found


def _inventory(library: str, page: str) -> bytes:
    head = f"# Sphinx inventory version 2\n# Project: {library}\n# Version: \n"
    head += "# The remainder of this file is compressed using zlib.\n"
    lines = [f"{name} py:{kind} 1 {page.replace('$', name)}.html#$ -\n" for name, kind in known(library).items()]
    return head.encode() + zlib.compress("".join(lines).encode())


def main() -> None:
    """Write the lists: the names that a library shares with gpugrad."""
    import inspect
    from importlib import import_module

    import gpugrad as gg

    for library in SITES:
        pairs = [(library, "gpugrad")]
        pairs += [
            (f"torch.{part}", f"gpugrad.{part}") for part in ("nn", "nn.functional", "optim") if library == "torch"
        ]
        lines = []
        for theirs, ours in pairs:
            module, own = import_module(theirs), import_module(ours)
            for name in sorted(gg.__all__ if own is gg else [n for n in dir(own) if not n.startswith("_")]):
                value = getattr(module, name, None)
                if inspect.isclass(value) and theirs != library:
                    lines.append(f"{theirs}.{name} class")
                elif callable(value) and not inspect.isclass(value):
                    lines.append(f"{theirs}.{name} function")
        (HERE / "inventories" / f"{library}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
