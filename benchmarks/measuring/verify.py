"""Checks that both libraries compute the same thing, before anybody asks which one is faster.

Rounding differs between any two libraries, and a deep network enlarges it: at ReLU's corner, in batch norm's sums that
almost cancel, in updates that are small beside their weights. What is too much, PyTorch in float64 tells: no result of
ours may be more than FACTOR times as far from that as the furthest of PyTorch's own float32 results of its kind. FLOOR
is added, which is what a single unit of a ReLU costs that fell on the other side of its corner.
"""

import numpy as np

FACTOR, FLOOR = 3.0, 5e-3


class ResultError(Exception):
    """Says that the two libraries disagree."""


def array(tensor):
    """Returns a NumPy copy of a tensor of either library."""
    return np.array(tensor.detach().cpu().numpy())


def state(case):
    """Returns copies of all parameters and buffers, by name."""
    return {name: array(tensor) for name, tensor in case.model.state_dict().items()}


def results(case, lib, device, start):
    """Takes two steps from the weights `start`, one where there is no optimizer, and returns {kind: {name: array}}."""
    case.model.load_state_dict({name: lib.tensor(value, device=device) for name, value in start.items()})
    found = {"output": {"the first step": array(case.step())}}
    found["gradient"] = {name: array(p.grad) for name, p in case.model.named_parameters() if p.grad is not None}
    if case.optimizer is not None:
        found["output"]["the second step"] = array(case.step())
        found["update"] = {name: value - start[name] for name, value in state(case).items()}
    return found


def distance(found, right):
    """Returns how far an array is from the right one, relative to the norm of that."""
    scale = max(np.linalg.norm(right.ravel()), np.finfo(np.float32).tiny)
    return np.linalg.norm((found - right).ravel()) / scale


def compare(kind, ours, peer, right, floor=FLOOR):
    """Raises `ResultError` unless our results of one kind have the names, shapes and dtypes of the peer's, and values
    about as close to the right ones."""
    if ours.keys() != peer.keys():
        raise ResultError(f"there is {kind} of {sorted(ours)}, expected of {sorted(peer)}")
    allowed = floor + FACTOR * max((distance(value, right[name]) for name, value in peer.items()), default=0.0)
    for name, value in peer.items():
        mine = ours[name]
        if mine.shape != value.shape or mine.dtype != value.dtype:
            raise ResultError(f"{kind} of {name} is {mine.dtype} {mine.shape}, expected {value.dtype} {value.shape}")
        error = distance(mine, right[name])
        if not error <= allowed:  # also when it is NaN
            raise ResultError(f"{kind} of {name} is {error:.1e} of its norm away from float64, allowed {allowed:.0e}")


def verify(workload, libs, device):
    """Runs the workload in both libraries, ours and PyTorch, and in PyTorch with float64, from the same weights, and
    compares all that they compute."""
    ours, peer = (workload.prepare(lib, device) for lib in libs.values())
    start, torch = state(peer), libs["torch"]
    right = results(workload.prepare(torch, device, "float64"), torch, device, start)  # first: it needs most memory
    found, expected = (results(case, lib, device, start) for case, lib in zip((ours, peer), libs.values(), strict=True))
    for kind in expected:
        compare(kind, found[kind], expected[kind], right[kind])
