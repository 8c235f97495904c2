"""`python -m tests.gpu.smoke`: does it work at all? Each line is one thing that must, with its seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

import gpugrad as gg
from gpugrad import nn
from gpugrad.backend.cuda import gemm

DTYPES = {"float32": 1e-5, "float64": 1e-12, "float16": 2e-2, "bfloat16": 1e-1}  # with the errors that are allowed
EPILOGUES = ("default", "bias", "relu_bias", "gelu_aux_bias", "bgradb")
F = nn.functional


class Skipped(Exception):
    """What cannot be tried on this machine, and why."""


def host(values):
    """A Tensor or an array as NumPy's, in float64."""
    return values.detach().cpu().astype("float64").numpy() if isinstance(values, gg.Tensor) else np.asarray(values)


def close(got, want, bound):
    """Raise AssertionError unless two Tensors or arrays agree, in units of the largest number."""
    got, want = host(got), host(want)
    error = np.abs(got - want).max(initial=0) / max(1.0, np.abs(want).max(initial=0))
    assert got.shape == want.shape and error <= bound, f"error {error:.2g}, allowed {bound:.2g}"


def launch():
    """A kernel from a text: compile, load, launch, read."""
    text = "__global__ void twice(float* x, long long n) { if (threadIdx.x < n) x[threadIdx.x] *= 2; }"
    x = gg.arange(5.0, device="cuda")
    gg.cuda.Kernels(gg.cuda.Source(text=text)).launch("twice", grid=(1,), block=(32,), args=(x._array, np.int64(5)))
    close(x, np.arange(5) * 2.0, 0)


def product(dtype: str, epilogue: str):
    """One product of cuBLASLt, with what comes behind it, against NumPy."""
    cuda = gg.device("cuda")
    if not cuda.has_products:
        raise Skipped("nvmath-python is not installed: matrix products are CuPy's, without epilogues")
    a, b, bias = (gg.randn(*shape, device=cuda).to(dtype=dtype) for shape in ((48, 64), (64, 32), (32,)))
    aux = gg.zeros(48, 32, device=cuda, dtype=dtype)
    sums = gg.zeros(48, device=cuda, dtype=dtype)
    given = {"default": None, "bgradb": sums._array}.get(epilogue, bias._array)
    aux_array = aux._array if epilogue == "gelu_aux_bias" else None
    out = gemm.product(a._array, b._array, epilogue=epilogue, bias=given, aux=aux_array)
    x, y, z = map(host, (a, b, bias))
    want = x @ y + (z if epilogue not in ("default", "bgradb") else 0)
    if epilogue == "gelu_aux_bias":
        close(aux, want, DTYPES[dtype])
        want = 0.5 * want * (1 + np.tanh(np.sqrt(2 / np.pi) * (want + 0.044715 * want**3)))
    if epilogue == "bgradb":
        close(sums, x.sum(axis=1), DTYPES[dtype])
    close(gg.tensor(cuda.to_host(out)), np.maximum(want, 0) if epilogue == "relu_bias" else want, DTYPES[dtype])


def family(function: Callable, dtype: str, *shapes: tuple):
    """A function of a family, forward and backward, on the GPU against the CPU in float64."""
    values = [gg.randn(*shape, dtype="float64") for shape in shapes]
    found = []
    for device, kind in (("cpu", "float64"), ("cuda", dtype)):
        leaves = [v.detach().to(device).to(dtype=kind).requires_grad_() for v in values]
        out = function(*leaves)
        (out * out).sum().backward()
        found.append([out, *(leaf.grad for leaf in leaves)])
    for want, got in zip(*found, strict=True):
        close(got, want, 3 * DTYPES[dtype])


def training(optimizer: str):
    """A step with batch norm, dropout and an optimizer, captured as a graph: the bits of steps without one."""
    weights = []
    for decorate in (lambda step: step, gg.cuda.graph):
        gg.manual_seed(0)
        parts = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2)]
        model = nn.Sequential(*parts, nn.Linear(36, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)).to("cuda")
        stepper = getattr(gg.optim, optimizer)(model.parameters(), lr=0.01)

        def step(x, target, model=model, stepper=stepper):
            stepper.zero_grad()
            F.cross_entropy(model(x), target).backward()
            stepper.step()

        graph = decorate(step)
        for _ in range(5):
            graph(gg.randn(4, 1, 8, 8, device="cuda"), gg.randint(0, 3, (4,), device="cuda"))
        weights.append([p.tolist() for p in model.state_dict().values()])
    assert weights[0] == weights[1], "replays give other bits than steps without a graph"


def memory():
    """The pool counts, and gives back."""
    before = gg.cuda.memory_allocated()
    x = gg.zeros(1 << 20, device="cuda")
    assert gg.cuda.memory_allocated() - before >= x.nbytes
    del x
    gg.cuda.empty_cache()


def things() -> Iterator[tuple[str, Callable[[], None]]]:
    """Everything that is tried, by name."""
    yield "launch", launch
    yield "memory", memory
    for dtype in DTYPES:
        for epilogue in EPILOGUES:
            yield f"product {dtype} {epilogue}", lambda d=dtype, e=epilogue: product(d, e)
    families = {
        "softmax": (lambda x: gg.softmax(x, axis=-1), (5, 300)),
        "layer_norm": (lambda x, w: F.layer_norm(x, (96,), w), (7, 96), (96,)),
        "attention": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), *[(1, 2, 70, 64)] * 3),
        "conv": (lambda x, w: F.conv2d(x, w, padding=1), (2, 16, 9, 9), (16, 16, 3, 3)),
        "pool": (lambda x: F.max_pool2d(x, 2), (2, 3, 8, 8)),
        "sum": (lambda x: x.sum(axis=0), (100, 33)),
        "gelu": (lambda x: F.gelu(x), (1000,)),
    }
    for name, (function, *shapes) in families.items():
        for dtype in ("float32", "float16", "bfloat16"):
            yield f"{name} {dtype}", lambda f=function, d=dtype, s=shapes: family(f, d, *s)
    for optimizer in ("AdamW", "SGD"):
        yield f"captured step {optimizer}", lambda o=optimizer: training(o)


def main(names: list[str]) -> int:
    """Try everything, or what begins with one of `names`; print a line for each."""
    print(f"on {gg.device('cuda')}", flush=True)
    failed = 0
    for name, thing in things():
        if names and not any(name.startswith(n) for n in names):
            continue
        gg.manual_seed(1)
        start, verdict = time.perf_counter(), "ok"
        try:
            thing()
        except Skipped as reason:
            verdict, name = "skipped", f"{name}: {reason}"
        except Exception as error:
            verdict, name, failed = "FAILED", f"{name}: {type(error).__name__}: {error}".replace("\n", " "), failed + 1
        print(f"{verdict} {name}, {time.perf_counter() - start:.1f} s", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
