"""Tensors as Python objects: pickled, copied, with attributes of the user's own."""

import copy
import pickle

import pytest

import gpugrad as gg
from gpugrad import nn


def made(device):
    """Tensors by where they come from, with what their pickled selves must be."""
    x = gg.tensor([1.0, 2.0, 3.0], requires_grad=True, device=device)
    constant = gg.arange(4, device=device)
    with gg.no_grad():
        unrecorded = x[1:]
    return {
        "leaf": x, "view": x[:2], "view of a view": x[:2][1:], "result": x * 2, "reshaped": (x * 2).reshape(3, 1),
        "constant": constant, "view of a constant": constant[::2], "transposed": gg.ones(2, 3, device=device).T,
        "detached": x.detach(), "unrecorded view": unrecorded,
    }  # fmt: skip


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_every_tensor_is_pickled_as_its_values(device, protocol):
    for name, tensor in made(device).items():
        again = pickle.loads(pickle.dumps(tensor, protocol))
        assert again.tolist() == tensor.tolist(), name
        assert (again.dtype, again.device, again.requires_grad) == (tensor.dtype, tensor.device, tensor.requires_grad)
        assert again.is_leaf
    view = pickle.loads(pickle.dumps(gg.zeros(1_000_000)[:2]))
    assert len(pickle.dumps(view)) < 1000


def test_a_pickled_view_of_a_parameter_is_trained_alone():
    weight = nn.Parameter(gg.ones(3))
    again = pickle.loads(pickle.dumps(weight[:2]))
    (again * 2).sum().backward()
    assert again.grad.tolist() == [2, 2] and weight.grad is None


def test_gradients_and_kinds_are_pickled():
    weight, buffer = nn.Parameter(gg.ones(2)), nn.Buffer(gg.ones(2), persistent=False)
    (weight * 3).sum().backward()
    weight.register_hook(lambda gradient: None)
    again, kept = pickle.loads(pickle.dumps((weight, buffer)))
    assert type(again) is nn.Parameter and again.grad.tolist() == [3, 3] and again.requires_grad
    assert type(kept) is nn.Buffer and kept.persistent is False
    assert copy.deepcopy(buffer).persistent is False


def test_attributes_of_the_users_own():
    """They are set, copied and pickled with the object, and are not what ops or `detach` make of it."""
    for tensor in (gg.ones(2), nn.Parameter(gg.ones(2)), gg.ones(2, requires_grad=True) * 2):
        tensor.tag, tensor.itself = "x", tensor
        again = pickle.loads(pickle.dumps(tensor))
        assert again.tag == "x" and again.itself is again
        assert copy.copy(tensor).tag == "x"
        assert not hasattr(tensor + 1, "tag") and not hasattr(tensor.detach(), "tag")
        del tensor.tag
        assert not hasattr(tensor, "tag")
        with pytest.raises(AttributeError):
            tensor.shape = (1, 2)
    layer = nn.Linear(2, 2)
    layer.weight.sizes = [2, 2]
    twin = copy.deepcopy(layer)
    assert twin.weight.sizes == [2, 2] and twin.weight.sizes is not layer.weight.sizes


def test_a_device_may_be_number_0():
    """Of a given device 0 is one, not none."""
    if gg.cuda.is_available():
        assert gg.rand_like(gg.ones(2), device=0).device.type == "cuda"
        assert gg.randn_like(gg.ones(2), device=0).device.type == "cuda"
    else:
        with pytest.raises(gg.errors.DeviceError):
            gg.rand_like(gg.ones(2), device=0)
        with pytest.raises(gg.errors.DeviceError):
            gg.randn_like(gg.ones(2), device=0)
