"""What everything costs besides arithmetic: calls, launches, imports, first calls, and how cost grows with size."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import gpugrad

from .measure import compared, exponent, summary, time_cases
from .subprocesses import python, time_imports
from .workloads import Case, Inputs, operation

CALLS = 200  # of an op, or launches of a kernel, in a step
IMPORT_TITLE, IMPORT_GOAL = "`import gpugrad` against `import numpy`", 1.3
FIRST = """
import time, json, gpugrad as lib
x = lib.tensor([[1.0, 2.0], [3.0, 4.0]], device="{device}", requires_grad=True)
def call():
    start = time.perf_counter()
    lib.nn.functional.softmax(x @ x, 1).sum().backward()
    {wait}
    return time.perf_counter() - start
print(json.dumps([call(), min(call() for _ in range(5))]))
"""


def _repeat(function, forward):
    def repeated(*leaves):
        leaves = [leaf.detach() for leaf in leaves] if forward else leaves
        for _ in range(CALLS):
            result = function(*leaves)
        return result

    return repeated


def _summed(function):
    """Backward of all calls: their results added up."""

    def repeated(*leaves):
        total = function(*leaves)
        for _ in range(CALLS - 1):
            total = total + function(*leaves)
        return total

    return repeated


OPS = {
    "add": (lambda lib, x: x + x, [(4, 4)]),
    "exp": (lambda lib, x: lib.exp(x), [(4, 4)]),
    "sum": (lambda lib, x: x.sum(), [(4, 4)]),
    "matmul": (lambda lib, x, y: x @ y, [(4, 4), (4, 4)]),
    "reshape": (lambda lib, x: x.reshape(16), [(4, 4)]),
    "softmax": (lambda lib, x: lib.nn.functional.softmax(x, -1), [(4, 4)]),
}


def call_case(lib, device, name, backward):
    """A case of CALLS calls of a small op: the cost of Python, and on a GPU of the launches."""
    inputs = Inputs(lib, device)
    function, shapes = OPS[name]
    leaves = [inputs.normal(*shape) for shape in shapes]
    function = partial(function, lib)
    upstream = lib.ones_like(function(*leaves)) if backward else None
    case = operation(lib, _summed(function) if backward else _repeat(function, True), upstream, *leaves)
    case.synchronize = lib.cuda.synchronize if device != "cpu" else None
    return case


def calls(name, libs, device, effort):
    """Rows of microseconds per call of one op, forward, and forward with backward."""
    for backward in (False, True):
        step = "forward + backward" if backward else "forward"
        cases = [call_case(lib, device, name, backward) for lib in libs.values()]
        row = compared(dict(zip(libs, time_cases(cases, effort, CALLS), strict=True)))
        title = f"a call of {name} on 4 x 4"
        yield {"id": f"call {name} {step} {device}", "title": title, "pass": step, "device": device} | row


NOTHING = "__global__ void nothing(float* x) {}"


@dataclass
class Launches:
    """One way to launch a kernel; a step launches it CALLS times."""

    launch_once: Callable[[], Any]
    synchronize: Callable[[], None]

    def run(self, steps):
        """Launch, and wait for the last one."""
        for _ in range(steps * CALLS):
            self.launch_once()
        self.synchronize()


def launch_cases(libs, device):
    """Launches of an empty kernel by gpugrad and by CuPy, and beside them PyTorch's smallest op, where they are."""
    x, kernels = gpugrad.device(device).xp.zeros(1, "float32"), gpugrad.cuda.Kernels(gpugrad.cuda.Source(text=NOTHING))
    ours = partial(kernels.launch, "nothing", grid=(1,), block=(1,), args=(x,))
    found = {"gpugrad": Launches(ours, gpugrad.cuda.synchronize)}
    if find_spec("cupy") and not gpugrad.cuda.is_emulated():
        import cupy

        module = cupy.RawModule(code=NOTHING, options=("-std=c++17",), name_expressions=["nothing"])
        kernel = module.get_function("nothing")
        found["cupy"] = Launches(lambda: kernel((1,), (1,), (x,)), gpugrad.cuda.synchronize)
    if torch := libs.get("torch"):
        y = torch.zeros(1, device=device)
        found["torch add_"] = Launches(lambda: y.add_(1), torch.cuda.synchronize)
    return found


def launches(libs, device, effort):
    """The row of microseconds per launch of a kernel that does nothing."""
    cases = launch_cases(libs, device)
    row = compared(dict(zip(cases, time_cases(list(cases.values()), effort, CALLS), strict=True)))
    yield {"id": f"launch {device}", "title": "a launch of an empty kernel", "device": device} | row


def imports(effort):
    """The row of the time to import our library against that of NumPy."""
    ours, numpys = time_imports(["gpugrad", "numpy"], max(3, effort.rounds // 2))
    row = compared({"gpugrad": ours, "numpy": numpys}, IMPORT_GOAL)
    yield {"id": "import", "title": IMPORT_TITLE, "device": "cpu"} | row


def first_call(device, effort):
    """The row of the first training step of a fresh process: what is imported and compiled then."""
    wait = "lib.cuda.synchronize()" if device != "cpu" else "pass"
    code = FIRST.format(device=device, wait=wait)
    pairs = [json.loads(python("-c", code)) for _ in range(max(3, effort.rounds // 3))]
    title = "first small training step of a process, compilation included"
    row = {"ours": summary([first for first, _ in pairs]), "peers": {}}
    row["later"] = min(later for _, later in pairs)
    yield {"id": f"first call {device}", "title": title, "device": device} | row


# Growth: a workload of one size, the sizes, and how cost should grow


def _chain(lib, inputs, n):
    x = inputs.normal(1)

    def function(x):
        y = x
        for _ in range(n):
            y = y + x
        return y

    return operation(lib, function, lib.ones_like(x), x)


def _linear(lib, inputs, n):
    leaves = inputs.normal(n, 512), inputs.normal(512, 512), inputs.normal(512)
    return operation(lib, lib.nn.functional.linear, inputs.normal(n, 512), *leaves)


def _attention(lib, inputs, n):
    function = partial(lib.nn.functional.scaled_dot_product_attention, is_causal=True)
    return operation(lib, function, inputs.normal(1, 4, n, 64), *(inputs.normal(1, 4, n, 64) for _ in "qkv"))


def _convolution(lib, inputs, n):
    function = partial(lib.nn.functional.conv2d, padding=1)
    return operation(lib, function, inputs.normal(2, n, 16, 16), inputs.normal(2, n, 16, 16), inputs.normal(n, n, 3, 3))


def _adam(lib, inputs, n):
    model = lib.nn.Linear(1024, n, bias=False).to(inputs.device)
    for p in model.parameters():
        p.grad = inputs.normal(n, 1024)
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-4)

    class Step(Case):
        def step(self):
            optimizer.step()

    return Step(model, lambda: None)


GROWTH = {
    "graph length": (_chain, (50, 100, 200, 400, 800, 1600), 1),
    "batch": (_linear, (64, 128, 256, 512, 1024, 2048), 1),
    "sequence length": (_attention, (64, 128, 256, 512, 1024, 2048), 2),
    "channels": (_convolution, (16, 32, 64, 128, 256), 2),
    "parameter count": (_adam, (64, 128, 256, 512, 1024, 2048), 1),
}
WHAT = {
    "graph length": "n chained adds, forward + backward", "batch": "linear layer (n, 512), forward + backward",
    "sequence length": "causal attention (1, 4, n, 64), forward + backward",
    "channels": "3x3 convolution n -> n, forward + backward", "parameter count": "Adam step of n x 1024 parameters",
}  # fmt: skip
EXCESS = 0.35  # an exponent that much above the expected one is reported


def growth(name, libs, device, effort):
    """The row of one growth curve: median seconds at each size, and the fitted exponents."""
    build, sizes, expected = GROWTH[name]
    curves, last = {lib: [] for lib in libs}, {}
    for n in sizes:
        cases = [build(lib, Inputs(lib, device), n) for lib in libs.values()]
        for case, lib in zip(cases, libs.values(), strict=True):
            case.synchronize = lib.cuda.synchronize if device != "cpu" else None
        last = dict(zip(libs, time_cases(cases, effort), strict=True))
        for lib, times in last.items():
            curves[lib].append(summary(times)["median"])
    slopes = {lib: exponent(sizes, curve) for lib, curve in curves.items()}
    row = {"id": f"growth {name} {device}", "title": WHAT[name], "name": name, "device": device, "sizes": sizes}
    row |= {"curves": curves, "exponents": slopes, "expected": expected} | compared(last)
    if slopes["gpugrad"] > expected + EXCESS:
        row["steep"] = True
    yield row
