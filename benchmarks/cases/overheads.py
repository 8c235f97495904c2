"""Measures what everything costs besides arithmetic: calls, launches, imports, first calls."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import gpugrad
from gpugrad.backend.cpu.loops import problem

from ..measuring.clock import time_cases
from ..measuring.subprocesses import python, time_imports
from ..measuring.summaries import compared, summary
from .case import Inputs, operation

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

# The first softmax of an array that is large enough for a compiled loop, with nothing in the cache, then with the loop
# in it.
LOOP = """
import json, os, subprocess, sys, tempfile
code = "import time, gpugrad; x = gpugrad.ones((64, 1024)); start = time.perf_counter(); gpugrad.softmax(x); "
code += "print(time.perf_counter() - start)"
with tempfile.TemporaryDirectory() as folder:
    env = os.environ | {"GPUGRAD_CACHE": folder}
    run = lambda: float(subprocess.check_output([sys.executable, "-c", code], env=env))
    print(json.dumps([run(), run()]))
"""


def _repeat(function, forward):
    def repeated(*leaves):
        leaves = [leaf.detach() for leaf in leaves] if forward else leaves
        for _ in range(CALLS):
            result = function(*leaves)
        return result

    return repeated


def _summed(function):
    """Adds up the results of all calls, so that backward goes through each."""

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
    """Returns a case of CALLS calls of a small op, which costs Python, and on a GPU the launches."""
    inputs = Inputs(lib, device)
    function, shapes = OPS[name]
    leaves = [inputs.normal(*shape) for shape in shapes]
    function = partial(function, lib)
    upstream = lib.ones_like(function(*leaves)) if backward else None
    case = operation(lib, _summed(function) if backward else _repeat(function, True), upstream, *leaves)
    case.synchronize = lib.cuda.synchronize if device != "cpu" else None
    return case


def calls(name, libs, device, effort):
    """Yields rows of microseconds per call of one op, forward, and forward with backward."""
    for backward in (False, True):
        step = "forward + backward" if backward else "forward"
        cases = [call_case(lib, device, name, backward) for lib in libs.values()]
        row = compared(dict(zip(libs, time_cases(cases, effort, CALLS), strict=True)))
        title = f"a call of {name} on 4 x 4"
        yield {"id": f"call {name} {step} {device}", "title": title, "pass": step, "device": device} | row


NOTHING = "__global__ void nothing(float* x) {}"


@dataclass
class Launches:
    """Launches a kernel in one way, CALLS times in a step."""

    launch_once: Callable[[], Any]
    synchronize: Callable[[], None]

    def run(self, steps):
        """Launches, and waits for the last one."""
        for _ in range(steps * CALLS):
            self.launch_once()
        self.synchronize()


def launch_cases(libs, device):
    """Returns launches of an empty kernel by gpugrad and by CuPy, and PyTorch's smallest op, where they are."""
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
    """Yields the row of microseconds per launch of a kernel that does nothing."""
    cases = launch_cases(libs, device)
    row = compared(dict(zip(cases, time_cases(list(cases.values()), effort, CALLS), strict=True)))
    yield {"id": f"launch {device}", "title": "a launch of an empty kernel", "device": device} | row


def imports(effort):
    """Yields the row of the time to import our library against that of NumPy."""
    ours, numpys = time_imports(["gpugrad", "numpy"], max(3, effort.rounds // 2))
    row = compared({"gpugrad": ours, "numpy": numpys}, IMPORT_GOAL)
    yield {"id": "import", "title": IMPORT_TITLE, "device": "cpu"} | row


def first_call(device, effort):
    """Yields the row of the first training step of a fresh process: what is imported and compiled then."""
    wait = "lib.cuda.synchronize()" if device != "cpu" else "pass"
    code = FIRST.format(device=device, wait=wait)
    pairs = [json.loads(python("-c", code)) for _ in range(max(3, effort.rounds // 3))]
    title = "first small training step of a process, compilation included"
    row = {"ours": summary([first for first, _ in pairs]), "peers": {}}
    row["later"] = min(later for _, later in pairs)
    yield {"id": f"first call {device}", "title": title, "device": device} | row


def first_loop(effort):
    """Yields the rows of the first use of a compiled loop of the CPU: compiled then, or loaded from the cache."""
    if problem() is not None:
        return
    pairs = [json.loads(python("-c", LOOP)) for _ in range(max(3, effort.rounds // 3))]
    for name, seconds in zip(("compiled", "from the cache"), zip(*pairs, strict=True), strict=True):
        title = f"first softmax of a process by a compiled loop, {name}"
        yield {"id": f"first loop {name}", "title": title, "device": "cpu", "ours": summary(list(seconds)), "peers": {}}
