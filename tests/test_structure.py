"""The shape of the code: imports go downward and never in circles, a family has one name, importing is light."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.autograd import graph
from gpugrad.autograd.op import OPS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gpugrad"
LAYERS = [
    "errors", "arguments", "optional", "backend", "autograd", "typing", "ops", "linalg", "fft", "special", "random",
    "distributions", "export", "cuda", "nn", "optim", "amp", "data", "models", "io", "distributed", "torch", "viz",
    "train", "rl",
    "recipes", "utils", "interop", "cli",
]  # fmt: skip


def module_name(file):
    """The dotted name of a file of the project: "gpugrad.ops.softmax" for gpugrad/ops/softmax/__init__.py."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])
SOURCES = {file.relative_to(ROOT).as_posix(): file.read_text() for file in FILES}


def imports(path, source):
    """(line, imported name, whether inside a function) for each import that runs, not only type checkers read."""
    found = []

    def visit(node, inside):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for child in node.orelse:
                visit(child, inside)
            return
        if isinstance(node, ast.Import):
            found.extend((node.lineno, name.name, inside) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = [*base, *([node.module] if node.module else [])]
            found.extend((node.lineno, ".".join([*stem, name.name]), inside) for name in node.names)
        inside = inside or isinstance(node, (ast.FunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    package = path.removesuffix(".py").split("/")[:-1]  # of an __init__ too: it is a file of its package
    visit(ast.parse(source), False)
    return found


def import_graph(sources):
    """Module -> the modules among `sources` that it imports, anywhere in its file."""
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in sources}
    graph = {}
    for module, path in modules.items():
        names = [name for _, name, _ in imports(path, sources[path])]
        targets = [name if name in modules else name.rpartition(".")[0] for name in names]
        graph[module] = {target for target in targets if target in modules and target != module}
    return graph


def circles(graph):
    """The groups of modules that import each other, directly or by way of others."""
    reach = {module: set(targets) for module, targets in graph.items()}
    changed = True
    while changed:
        changed = False
        for targets in reach.values():
            more = set().union(*(reach[t] for t in targets)) - targets
            if more:
                targets |= more
                changed = True
    groups = {frozenset(other for other in reach[m] if m in reach[other]) for m in reach if m in reach[m]}
    return sorted(sorted(group) for group in groups)


def test_no_import_circles():
    assert circles(import_graph(SOURCES)) == []


PLANTED_CIRCLES = [
    {"gpugrad/a.py": "from . import b", "gpugrad/b.py": "from .c import x", "gpugrad/c.py": "import gpugrad.a"},
    {"gpugrad/a.py": "from .b import x", "gpugrad/b.py": "def f():\n    from . import a"},
    {"gpugrad/a/__init__.py": "from .b import x", "gpugrad/a/b.py": "from . import y"},
]
NO_CIRCLE = {
    "gpugrad/a.py": "from .b import x", "gpugrad/b.py": "if TYPE_CHECKING:\n    from .a import y\nelse:\n    import os",
}  # fmt: skip


def test_planted_circles_are_seen():
    assert [len(circles(import_graph(planted))) for planted in PLANTED_CIRCLES] == [1, 1, 1]
    assert circles(import_graph(NO_CIRCLE)) == []


def upward_imports(sources):
    """Imports of a layer by one below it."""
    for path, source in sources.items():
        folders = path.removesuffix(".py").split("/")
        if folders[0] != "gpugrad" or folders[1] in ("__init__", "__main__"):
            continue
        layer = folders[1]
        if layer not in LAYERS:
            yield f"{path}: the layer {layer!r} is not in the order of layers"
            continue
        for line, name, _ in imports(path, source):
            parts = name.split(".")
            if parts[0] in ("benchmarks", "tests") and layer != "cli":
                yield f"{path}:{line} imports {name}, which is above the package"
            if parts[0] != "gpugrad":
                continue
            if parts == ["gpugrad"] and layer == "cli":  # the commands use the package as its users do
                continue
            target = parts[1] if len(parts) > 1 else "gpugrad"
            if target not in LAYERS or LAYERS.index(target) > LAYERS.index(layer):
                yield f"{path}:{line} imports {name}, which is above {layer}"


def test_imports_go_downward():
    assert list(upward_imports(SOURCES)) == []


def test_planted_upward_imports_are_seen():
    source = "import gpugrad.nn\nfrom ..ops import shape\nfrom . import op\nfrom ..nn.module import Module\n"
    source += "def f():\n    import cupy\n    import gpugrad\n"
    assert [name for _, name, _ in imports("gpugrad/autograd/example.py", source)] == [
        "gpugrad.nn", "gpugrad.ops.shape", "gpugrad.autograd.op", "gpugrad.nn.module.Module", "cupy", "gpugrad",
    ]  # fmt: skip
    assert [inside for _, _, inside in imports("gpugrad/autograd/example.py", source)] == [False] * 4 + [True] * 2
    assert len(list(upward_imports({"gpugrad/autograd/example.py": source}))) == 4


def test_only_backend_imports_cupy():
    found = [
        f"{path}:{line}"
        for path, source in SOURCES.items()
        if path.startswith("gpugrad/") and not path.startswith("gpugrad/backend/")
        for line, name, _ in imports(path, source)
        if name.split(".")[0] in ("cupy", "cupyx")
    ]
    assert found == []


# Families

# Files of nn, and of its functional part, that are made of several families' ops, or are no layers.
COMPOSED = {
    "adaptive_pool", "adaptive_softmax", "activation", "arguments", "container", "detection", "distance",
    "fractional_pool", "functional", "grid_sample", "hooks", "init", "lazy", "margin_loss", "members", "module",
    "multihead_attention", "parameter", "spatial", "state_dict", "summary", "transformer", "unpool", "utils",
}  # fmt: skip


def names_in(folder, pattern="*.py"):
    """The names of the files and folders directly in `folder`, without endings and underscored ones."""
    found = {file.stem for file in (ROOT / folder).glob(pattern)}
    found |= {file.parent.name for file in (ROOT / folder).glob("*/__init__.py")}
    return {name for name in found if not name.startswith("_")}


def test_a_family_with_kernels_has_the_kernels_name():
    kernels = {file.stem for file in (ROOT / "kernels").glob("*.cu")}
    launched = {file.parent.name for file in PACKAGE.glob("ops/*/cuda.py")}
    launched |= {file.parents[1].name for file in PACKAGE.glob("ops/*/cuda/__init__.py")}
    without = {"recurrent", "matmul", "linear"}  # their cuda paths are products and elementwise kernels
    assert launched - without <= kernels, "a family's cuda path launches kernels/<family>.cu"
    for kernel in kernels - {"amp", "optim"}:
        assert any(kernel == family or kernel.startswith(f"{family}_") for family in launched), kernel


def test_a_family_has_one_name_on_every_floor():
    families = names_in("gpugrad/ops")
    for floor in ("gpugrad/nn", "gpugrad/nn/functional"):
        assert names_in(floor) - COMPOSED <= families, floor


def test_device_paths_live_in_their_familys_folder():
    for name, op in OPS.items():
        for kind in ("cpu", "cuda"):
            path = op.paths[kind]
            if path is None or not op.__module__.startswith("gpugrad."):
                continue
            family = op.__module__.split(".")[2]
            made = getattr(path.forward, "__module__", type(path.forward).__module__)
            assert made.split(".")[1:3] == ["ops", family], f"{name}: its {kind} path is in {made}"


def gpugrad_calls(function):
    """(Python functions of gpugrad called, files they are in) while `function` runs."""
    calls, files = [], set()

    def see(frame, event, argument):
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(str(PACKAGE)):
            calls.append(frame.f_code.co_qualname)
            files.add(file)

    sys.setprofile(see)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls, files


def test_softmax_and_its_gradient_are_short_to_follow(monkeypatch):
    x = gg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)

    def step():
        y = gg.softmax(x)
        y.sum().backward()

    step()  # imports the device paths
    x.grad = None
    monkeypatch.setattr(graph, "changes", {})  # those of other tests, for which saved arrays are looked at once more
    calls, files = gpugrad_calls(step)
    assert len(files) <= 10, sorted(files)
    assert len(calls) <= 70, calls


# Importing


@pytest.mark.parametrize(
    "module", ["cupy", "llvmlite", "numba", "scipy", "torch", "matplotlib", "ml_dtypes", "sklearn", "safetensors"]
)
def test_import_is_light(module, imported):
    assert module not in imported


def test_device_paths_are_imported_when_they_are_used(imported):
    assert [
        name for name in imported if name.startswith("gpugrad.ops.") and name.split(".")[-1] in ("cpu", "cuda")
    ] == []


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


def test_no_function_is_called_underscore():
    unnamed = [
        f"{path}:{node.lineno}"
        for path, source in SOURCES.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == "_"
    ]
    assert unnamed == [], "tracebacks show functions' names"
