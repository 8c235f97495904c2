"""Every op of the table under every check that its declaration implies, and proof that each check can fail."""

import itertools
import re

import numpy as np
import pytest

import gpugrad
from gpugrad.autograd.check.checks import CHECKS, check_op
from gpugrad.autograd.check.samples import Sampler, unary
from gpugrad.autograd.op import OPS, Many, Op, op, xp

OWN = sorted(name for name, o in OPS.items() if o.__module__.startswith("gpugrad."))


@pytest.mark.parametrize("name", OWN)
def test_op(name, device, most, monkeypatch):
    """The rules are the same on every device: off the CPU, few second derivatives show that they run there."""
    op = OPS[name]
    results = check_op(op, device, [check for check in CHECKS if check != "second order"])
    if device.type != "cpu":
        few = [case for case in op.samples(Sampler()) if case.smooth][:most]
        monkeypatch.setattr(op, "samples", lambda sampler: few)
    failures = [r for r in [*results, *check_op(op, device, ["second order"])] if not r.passed]
    lines = [f"{r.check} of {name}({r.case or ''}): {r.message}" for r in failures]
    assert not failures, "\n".join([f"{len(failures)} failed", *lines[:4]])


def test_the_table_is_full():
    assert len(OWN) > 100


# Planted faults: each is a correct op but for one thing, which the check named must report, and in these words.

SIMPLE = unary()
kept = []
ticks = itertools.count(1)


def plant(body, rule=None, *, samples=SIMPLE, **flags):
    made = op(body, samples=samples, **flags)
    return made.vjp(x=rule) if rule else made


def report(made, check):
    """What `check` says about the op: its failures' messages."""
    return [r.message for r in check_op(made, "cpu", [check]) if not r.passed]


def double(x):
    """2 x."""
    return x * 2


def sine(x):
    """sin x."""
    return xp(x).sin(x)


def product(x, y):
    """x y."""
    return x * y


def undocumented(x):
    return x * 2


def mutating(x):
    """2 x, but in place."""
    x *= 2
    return x + 0


def infinite(x):
    """x / 0."""
    with np.errstate(all="ignore"):
        return x / (x * 0)


def widening(x):
    """2 x, always float64."""
    return x.astype(np.float64) * 2


def cancelling(x):
    """x, but rounded on the way."""
    return (x * 1024 + 300) - x * 1023 - 300


def by_memory(x):
    """2 x in the order of memory."""
    return (x * 2).ravel(order="K").reshape(x.shape)


def restless(x):
    """2 x and something else each time."""
    return x * 2 + next(ticks) * 1e-3


def hoarding(x):
    """2 x, and x is kept."""
    kept.append(x)
    return x * 2


def blind_sine_rule(g, x):
    """The right values, cut off from the graph."""
    return g * np.cos(getattr(x, "_array", x))


def overwriting(g):
    g *= 2
    return g + 0


FAULTS = [
    ("declared", undocumented, {"rule": lambda g: g * 2}, "no docstring"),
    ("declared", double, {"rule": lambda g: g * 2, "samples": None}, "no samples"),
    ("forward", mutating, {}, "changed the input x in place"),
    ("forward", infinite, {}, "not finite"),
    ("gradient", double, {"rule": lambda g: g * 3}, "analytic 3, numerical 2"),
    ("gradient", double, {"rule": lambda g: (g * 2).astype(np.float64)}, r"float32 is \(3, 4\) float64"),
    ("gradient", double, {"rule": lambda g: (g * 2).reshape(-1)[:2]}, "shape|reshape"),
    ("gradient", double, {"rule": overwriting}, "changed the upstream gradient"),
    ("gradient", sine, {"rule": lambda g, x: xp(g).log(-(g * g)) * g}, "RuntimeWarning"),
    ("second order", sine, {"rule": blind_sine_rule}, "analytic .* numerical"),
    ("dtypes", widening, {"rule": lambda g: g * 2}, "float32 inputs float64"),
    ("dtypes", cancelling, {"rule": lambda g: g, "exact": True}, "float16 against float32"),
    ("layout", by_memory, {"rule": lambda g: g * 2}, "strided|fortran"),
    ("layout", double, {"rule": by_memory}, "gradient against contiguous"),
    ("memory", double, {"rule": lambda g, x: g * 2}, "name x, which is kept"),
    ("memory", sine, {"rule": lambda g, x, out: g * xp(g).cos(x).reshape(out.shape)}, "name out, which is kept"),
    ("memory", hoarding, {"rule": lambda g: g * 2}, "keeps the input x alive"),
    ("deterministic", restless, {"rule": lambda g: g * 2}, "second run"),
]


IDS = [f"{check}-{body.__name__}-{i}" for i, (check, body, _, _) in enumerate(FAULTS)]


@pytest.mark.parametrize(("check", "body", "how", "words"), FAULTS, ids=IDS)
def test_fault_is_found(own_ops, check, body, how, words):
    if how.get("rule") is by_memory:
        how = {"rule": lambda g: by_memory(g) if isinstance(g, np.ndarray) else g * 2}
    messages = report(plant(body, **how), check)
    kept.clear()
    assert messages
    assert any(re.search(words, message) for message in messages), messages


GOOD = [(double, lambda g: g * 2), (sine, lambda g, x: g * xp(g).cos(x))]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("body", "rule"), GOOD)
def test_sound_op_passes(own_ops, body, rule, check):
    made = plant(body, rule)
    assert report(made, check) == []
    assert check_op(made, "cpu", [check])


def product_with_path(own_ops, forward=lambda x, y: x * y, backward=lambda g, x, y: (g * y, g * x)):
    made = op(product, samples=lambda s: [s.case(s(3, 4), s(3, 4))])
    made.vjp(x=lambda g, y: g * y, y=lambda g, x: g * x)
    made.path("cpu")(lambda x, y: (forward(x, y), {}) if forward else NotImplemented).backward(backward)
    return made


def needless(g, x, y, needs):
    return (g * y, g * x) if all(needs) else (g, g)


@pytest.mark.parametrize(
    ("check", "how", "words"),
    [
        ("forward", {"forward": lambda x, y: x * y + 1e-3}, "device path against the generic body"),
        ("forward", {"forward": None}, "ran for no sample"),
        ("gradient", {"backward": lambda g, x, y: (g * y, g * x * 1.001)}, "gradient against the generic rule for y"),
        ("gradient", {"backward": needless}, "when no other is needed"),
        ("gradient", {"backward": lambda g, x, y: (g * y, (g * x).astype(np.float64))}, "float32 is .* float64"),
    ],
)
def test_fault_of_a_device_path_is_found(own_ops, check, how, words):
    messages = report(product_with_path(own_ops, **how), check)
    assert any(re.search(words, message) for message in messages), messages


@pytest.mark.parametrize("check", CHECKS)
def test_sound_device_path_passes(own_ops, check):
    assert report(product_with_path(own_ops), check) == []


class Careless(Op):
    """Leaves promotion to NumPy, which makes float64 of int32 and float32."""

    def __call__(self, x, y):
        return gpugrad.from_numpy(np.asarray(x._array * np.asarray(getattr(y, "_array", y))))


def test_promotion_fault_is_found(own_ops):
    messages = report(op(product, samples=lambda s: [s.case(s(3), s(3))], make=Careless), "dtypes")
    assert messages == ["int32 x against the same in float32: dtype float64, expected float32"]


def test_outputs_lists_and_integers_are_checked(own_ops):
    """Several outputs, one of them an integer, and a sequence of inputs."""

    @op(samples=lambda s: [s.case([s.distinct(3), s.distinct(3)])])
    def both(xs: Many):
        """Sum, and where the first is larger."""
        return xs[0] + xs[1], (xs[0] > xs[1]).astype(np.int64)

    both.vjp(xs=lambda g, i: g[0] * (i + 1))
    assert any("xs[1]" in message for message in report(both, "gradient"))
    both.vjp(xs=lambda g, i: g[0])
    assert all(report(both, check) == [] for check in CHECKS)
