"""Measures how cost grows with size: a workload of one size, its sizes, and the exponent that should come out."""

from functools import partial

from ..measuring.clock import time_cases
from ..measuring.summaries import compared, exponent, summary
from .case import Case, Inputs, operation


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
    """Yields the row of one growth curve: median seconds at each size, and the fitted exponents."""
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
