"""Checks that both libraries compute the same thing, before anybody asks which one is faster."""

import numpy as np


class ResultError(Exception):
    """The two libraries disagree."""


def array(tensor):
    """A NumPy copy of a tensor of either library."""
    return np.array(tensor.detach().cpu().numpy())


def state(case):
    """Copies of all parameters and buffers, by name."""
    return {name: array(tensor) for name, tensor in case.model.state_dict().items()}


def gradients(case):
    """Copies of all gradients that exist, by parameter name."""
    return {name: array(p.grad) for name, p in case.model.named_parameters() if p.grad is not None}


def compare(what, ours, peer, tolerance):
    """Raise `ResultError` unless the arrays agree in shape, dtype and, within `tolerance` of the norm, in value."""
    if ours.shape != peer.shape or ours.dtype != peer.dtype:
        raise ResultError(f"{what} is {ours.dtype} {ours.shape}, expected {peer.dtype} {peer.shape}")
    scale = max(np.linalg.norm(peer.ravel()), np.finfo(np.float32).tiny)
    error = np.linalg.norm((ours - peer).ravel()) / scale
    if not error <= tolerance:  # also when it is NaN
        raise ResultError(f"{what} differs by {error:.1e} of its norm, allowed are {tolerance:.0e}")


def compare_all(what, ours, peer, tolerance):
    """`compare` for dictionaries, which must have the same keys."""
    if ours.keys() != peer.keys():
        raise ResultError(f"{what} exists for {sorted(ours)}, expected for {sorted(peer)}")
    for name in peer:
        compare(f"{what} of {name}", ours[name], peer[name], tolerance)


def verify(ours, peer, lib, device, tolerance):
    """Give `ours` (of the library `lib`) the weights of `peer`, and compare output, gradients and weight updates."""
    before = state(peer)
    ours.model.load_state_dict({name: lib.tensor(value, device=device) for name, value in before.items()})
    compare("output", array(ours.step()), array(peer.step()), tolerance)
    compare_all("gradient", gradients(ours), gradients(peer), tolerance)
    if peer.optimizer is None:
        return
    compare("second output", array(ours.step()), array(peer.step()), tolerance)
    mine, theirs = ({name: value - before[name] for name, value in state(case).items()} for case in (ours, peer))
    compare_all("update", mine, theirs, tolerance)
