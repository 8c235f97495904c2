"""The shape of the code: imports go downward, files and functions are short, and importing gpugrad is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gpugrad"
LAYERS = (
    "errors optional backend autograd typing ops linalg cuda nn optim amp data models io viz train utils cli".split()
)
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text()) for file in FILES}


def layer_of(file):
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(file, tree):
    """(line, dotted name, whether it is inside a function) of every import of a module or of a name in it."""
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.Lambda))]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    parts = ["gpugrad", *file.relative_to(PACKAGE).with_suffix("").parts]
    package = parts[:-1]  # of a package's __init__ too: parts ends in "__init__"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name, id(node) in inside
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            for name in node.names:
                yield node.lineno, f"{stem}.{name.name}", id(node) in inside


def offenders():
    for file, tree in TREES.items():
        layer = layer_of(file)
        if layer in ("__init__", "__main__"):
            continue
        if layer not in LAYERS:
            yield f"{file.relative_to(ROOT)}: the layer {layer!r} is not in the order of layers"
            continue
        for line, name, inside in imports(file, tree):
            parts = name.split(".")
            if parts[0] != "gpugrad" or (parts == ["gpugrad"] and inside):  # Tensor's array namespace is the package
                continue
            target = parts[1] if len(parts) > 1 else "gpugrad"
            if target not in LAYERS or LAYERS.index(target) > LAYERS.index(layer):
                yield f"{file.relative_to(ROOT)}:{line} imports {name}, which is above {layer}"


def test_imports_go_downward():
    assert list(offenders()) == []


def test_the_walk_sees_imports_of_every_form():
    source = "import gpugrad.nn\nfrom ..ops import shape\nfrom . import op\nfrom ..nn.module import Module\n"
    source += "def f():\n    import cupy\n"
    found = list(imports(PACKAGE / "autograd" / "example.py", ast.parse(source)))
    assert [name for _, name, _ in found] == [
        "gpugrad.nn", "gpugrad.ops.shape", "gpugrad.autograd.op", "gpugrad.nn.module.Module", "cupy",
    ]  # fmt: skip
    assert [inside for _, _, inside in found] == [False] * 4 + [True]


def test_only_backend_imports_cupy():
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file, tree in TREES.items()
        if layer_of(file) != "backend"
        for line, name, _ in imports(file, tree)
        if name.split(".")[0] in ("cupy", "cupyx")
    ]
    assert found == []


@pytest.mark.parametrize("module", ["cupy", "scipy", "torch", "matplotlib", "ml_dtypes", "sklearn", "safetensors"])
def test_import_is_light(module, imported):
    assert module not in imported


@pytest.fixture(scope="module")
def imported():
    """The modules that `import gpugrad` loads in a fresh interpreter."""
    code = "import sys, gpugrad; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "gpugrad.autograd.tensor" in done.stdout.split()
    return set(done.stdout.split())


def test_kernels_holds_kernels_only():
    found = sorted(f.relative_to(ROOT) for f in (ROOT / "kernels").rglob("*") if f.is_file())
    assert [str(f) for f in found if f.suffix not in (".cu", ".cuh")] == []
