"""Wrong arguments of ops, network functions and layers: what is raised is one of our errors and says who was called."""

import re
import warnings

import numpy as np
import pytest
import wrong_arguments
from wrong_arguments import all_layers, function_calls, layer_calls, op_calls, placed, varied

import gpugrad.nn.functional as F
from gpugrad import nn
from gpugrad.autograd.op import OPS
from gpugrad.errors import GpugradError

FOREIGN = re.compile(r"<locals>|gufunc|unhashable|object is not|not supported between|only integer scalar|zip\(\)")
NAMED = re.compile(r"[A-Za-z_][\w.]*(\(.*?\))?: ")
FUNCTIONS, OP_CALLS, LAYERS = (
    function_calls(),
    [call for call in op_calls() if call[0] != "transfer"],
    list(layer_calls()),
)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def refused(call, who, what):
    """Make a call that may be wrong, and return what is wrong with the error, if there is one."""
    try:
        call()
    except GpugradError as error:
        text = str(error)
        if not NAMED.match(text) or FOREIGN.search(text):
            return f"{who}, {what}: {type(error).__name__}: {text}"
    except Exception as error:
        return f"{who}, {what}: {type(error).__name__}: {error}"
    return None


def faults(who, args, options, call):
    """What is wrong with the errors of calls with one wrong argument."""
    found = []
    for name, wrong, given, chosen in varied(args, options):
        what = f"{name}={wrong.dtype}{wrong.shape}" if isinstance(wrong, np.ndarray) else f"{name}={wrong!r}"
        found.append(refused(lambda a=given, o=chosen: call(a, o), who, what))
    return [fault for fault in found if fault]


@pytest.mark.parametrize("name,args,options", OP_CALLS, ids=[name for name, *_ in OP_CALLS])
def test_ops_name_themselves(name, args, options):
    assert faults(name, args, options, lambda a, o: OPS[name](*a, **o)) == []


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_network_functions_name_themselves(name):
    args, options = FUNCTIONS[name]
    function = getattr(F, name)
    function(*map(placed, args), **{n: placed(v) for n, v in options.items()})  # the right call
    assert faults(name, args, options, lambda a, o: function(*a, **o)) == []


@pytest.mark.parametrize("name,args,options,inputs", LAYERS, ids=[name for name, *_ in LAYERS])
def test_layers_name_themselves(name, args, options, inputs):
    make, tensors = getattr(nn, name), [placed(x) for x in inputs]
    make(*args, **options)(*tensors)  # the right call
    found = faults(name, args, options, lambda a, o: make(*a, **o)(*tensors))
    assert found + faults(name, inputs, {}, lambda a, o: make(*args, **options)(*a)) == []


def test_every_function_and_layer_is_tried():
    assert set(F.__all__) == set(FUNCTIONS)
    assert all_layers() == {name for name, *_ in LAYERS}
    assert len(OP_CALLS) > 150 and wrong_arguments.NO_LAYERS <= set(dir(nn))
