"""What gpugrad shows: the names that are public, how ops are declared, and what `help` says."""

import inspect
import pydoc
import re
from pathlib import Path

import numpy as np
import pytest

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad import op, xp
from gpugrad.autograd.op import OPS, Op
from gpugrad.errors import DTypeError

ROOT = Path(__file__).parent.parent
HELPERS = {name for name, op in OPS.items() if op.__module__.startswith("gpugrad.ops.") and name not in gg.__all__}


def text(thing):
    """What `help(thing)` prints."""
    return pydoc.render_doc(thing, renderer=pydoc.plaintext)


# Names


def test_all_is_exactly_what_is_public():
    assert [name for name in dir(gg) if not name.startswith("_")] == gg.__all__ == sorted(set(gg.__all__))
    floors = {"arguments", "backend", "cli", "interop", "ops", "optional"}  # packages that Python itself puts there
    assert {name for name in vars(gg) if not name.startswith("_")} - set(gg.__all__) <= floors
    for name in gg.__all__:
        getattr(gg, name)


def test_a_star_import_brings_what_is_public():
    names: dict = {}
    exec("from gpugrad import *", names)
    assert names.keys() - {"__builtins__"} == set(gg.__all__)


def test_helper_ops_are_neither_functions_nor_methods():
    assert {"clear", "cut", "getitem", "keep_where", "put_view", "setitem", "sum_pool_adjoint"} <= HELPERS
    assert 25 <= len(HELPERS) <= 60
    assert [name for name in HELPERS if hasattr(gg, name) or hasattr(gg.Tensor, name)] == []


def test_public_ops_are_functions():
    for name in OPS.keys() & set(gg.__all__):
        assert inspect.unwrap(getattr(gg, name), stop=lambda f: isinstance(f, Op)) is OPS[name]


def test_rules_reach_helper_ops_through_the_namespace_of_a_tensor():
    x = gg.tensor([-1.0, 2.0], requires_grad=True)
    assert xp(x).keep_where(x, x > 0).tolist() == [0, 2]
    (slope,) = gg.grad(x[1] ** 3, [x], create_graph=True)  # its rule is the helper `put_add`
    (curvature,) = gg.grad(slope.sum(), [x])
    assert curvature.tolist() == [0, 12]
    assert x.__array_namespace__() is gg and xp(x).softmax is gg.softmax


def test_an_op_of_your_own_is_in_every_namespace(own_ops):
    @op(samples=lambda s: [s.case(s(3))])
    def doubled_for_a_test(x):
        return x + x

    for x in (np.ones(2), gg.ones(2)):
        assert xp(x).doubled_for_a_test(x).tolist() == [2, 2]
    assert not hasattr(gg, "doubled_for_a_test")


def test_the_functional_namespace_has_functions_only():
    assert [name for name in F.__all__ if not inspect.isroutine(getattr(F, name))] == []
    assert {name for name in vars(F) if not name.startswith("_") and callable(getattr(F, name))} == set(F.__all__)
    assert not {"OPS", "governed", "governed_names"} & vars(F).keys()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "gpugrad/cuda/README.md"])
def test_pages_declare_ops_by_the_front_door(page):
    found = (ROOT / page).read_text()
    assert "gpugrad.autograd.op import" not in found
    assert "from gpugrad import op, xp" in found


def test_texts_of_the_package_name_the_front_door():
    texts = {file.name: file.read_text() for file in (ROOT / "gpugrad").rglob("*.py")}
    assert [name for name, found in texts.items() if "gpugrad.autograd.op" in found] == []
    assert any("decorate a function with @gpugrad.op" in found for found in texts.values())


# help


def test_help_on_an_op_and_on_a_method_shows_the_ops_own_text():
    own = gg.softmax.forward.__doc__.splitlines()[0]
    x = gg.ones(3)
    assert own in text(gg.softmax) and "softmax(x, axis=-1)" in text(gg.softmax)
    assert own in text(x.softmax) and "softmax(axis=-1)" in text(x.softmax)
    assert "e**x." in text(x.exp) and "An op bound" not in text(x.exp)
    assert x.softmax(axis=0).tolist() == gg.softmax(x, axis=0).tolist()


def test_help_on_gpugrad_lists_everything_by_subject():
    shown = gg.__doc__
    listed = re.findall(r"^    ([\w, ]+)$", shown.partition("By subject:")[2], re.MULTILINE)
    assert sorted(re.findall(r"\w+", " ".join(listed))) == gg.__all__
    assert "\nElementwise arithmetic\n    abs, absolute, add," in shown
    assert "\nOps of your own\n    op, xp, Function\n" in shown and "Elementwise arithmetic" in text(gg)


def test_in_place_functions_show_the_arguments_that_they_take():
    twins = [name for name in F.__all__ if name.endswith("_")]
    assert len(twins) == 8
    for name in twins:
        shown = inspect.signature(getattr(F, name)).parameters
        both = inspect.signature(getattr(F, name[:-1])).parameters
        assert list(shown) == [p for p in both if p != "inplace"]
        assert getattr(F, name).__name__ == name and f"`{name[:-1]}`" in getattr(F, name).__doc__
    with pytest.raises(DTypeError, match=r"elu\(x, alpha=1.0\).*'inplace'"):
        F.elu_(gg.ones(3), inplace=False)
    assert F.elu_(gg.tensor([-1.0, 2.0]), 2.0).tolist() == F.elu(gg.tensor([-1.0, 2.0]), 2.0).tolist()


@pytest.mark.parametrize("method, parameters", [("clip_", ["min", "max"]), ("add_", ["y"]), ("lerp_", ["y", "weight"])])
def test_in_place_methods_show_the_arguments_that_they_take(method, parameters):
    x = gg.ones(3)
    assert list(inspect.signature(getattr(x, method)).parameters) == parameters
    assert getattr(x, method).__name__ == method and "in place" in text(getattr(x, method))


def test_every_public_function_and_method_has_a_text():
    x = gg.ones(2, 2)
    for name in gg.__all__:
        value = getattr(gg, name)
        assert not callable(value) or value.__doc__, name
    methods = [name for name in dir(x) if not name.startswith("_") and callable(getattr(gg.Tensor, name))]
    assert len(methods) > 250 and [name for name in methods if not getattr(x, name).__doc__] == []
