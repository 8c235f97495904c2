"""ZeroRedundancyOptimizer: each rank keeps the optimizer's state of a part of the parameters, and updates that part.

S. Rajbhandari et al. 2020, "ZeRO: memory optimizations toward training trillion parameter models", section 5.1 (stage
1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..autograd.mode import enable_grad
from ..autograd.tensor import Tensor
from ..autograd.versions import changed
from ..errors import OptionError, StateDictError
from ..optim import Optimizer
from .collectives import gathered
from .group import ProcessGroup, of


class ZeroRedundancyOptimizer(Optimizer):
    """Is an optimizer of `optimizer_class` whose state is divided among the ranks.

    Whole parameters go to the rank that has least so far, the largest first. All ranks have all gradients, as data
    parallelism gives them; each updates its parameters, which are then sent to the others. So a step changes parameters
    as `optimizer_class` does, to the bit.

    params and the options are those of `optimizer_class`. Options are in `param_groups`, also for schedulers.

    >>> x = gg.tensor([4.0], requires_grad=True)
    >>> optimizer = gg.distributed.ZeroRedundancyOptimizer([x], gg.optim.Adam, lr=0.5)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.tolist()
    [3.5]
    """

    def __init__(
        self,
        params: Iterable[Any],
        optimizer_class: type[Optimizer],
        process_group: ProcessGroup | None = None,
        **defaults: Any,
    ):
        if not (isinstance(optimizer_class, type) and issubclass(optimizer_class, Optimizer)):
            raise OptionError(f"ZeroRedundancyOptimizer: expected a class of optimizer, got {optimizer_class!r}")
        self.group = of(process_group)
        self._whole: dict[str, Any] | None = None
        self.optim = optimizer_class(params, **defaults)  # over all parameters; it has state of this rank's only
        super().__init__(self.optim.param_groups, self.optim.defaults)
        self.param_groups = self.optim.param_groups
        self.owners = _owners([p for group in self.param_groups for p in group["params"]], self.group.size)

    def _check_options(self, group: dict[str, Any]) -> None:
        """Leave this to the optimizer of the class, which has seen them."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more parameters too. Raises as `Optimizer.add_param_group` does."""
        if not hasattr(self, "owners"):  # those of the start are known
            self.param_groups.append(param_group)
            return
        self.optim.add_param_group(param_group)
        self.owners = _owners([p for group in self.param_groups for p in group["params"]], self.group.size)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update this rank's parameters that have a gradient, and take those of the other ranks."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        own = self.group.rank
        for group in self.param_groups:
            chosen = [p for p in group["params"] if self.owners[p] == own and p._grad is not None]
            self.optim._step_group(group, chosen)
        self._send_parameters()
        return loss

    def _send_parameters(self) -> None:
        """Send each rank's parameters to all others, those of one dtype and device at once."""
        parts: dict[tuple, list[Tensor]] = {}
        for p, owner in self.owners.items():
            parts.setdefault((owner, p.dtype, p.device), []).append(p)
        works = []
        for (owner, dtype, device), members in parts.items():
            with device.selected():
                if owner == self.group.rank:
                    flat = device.xp.concatenate([p._array.reshape(-1) for p in members])
                else:
                    flat = device.xp.empty(sum(p._array.size for p in members), dtype)
                transport = self.group.begin("ZeroRedundancyOptimizer's parameters", flat)
                works.append((transport.broadcast(flat, owner), flat, owner, members))
        for work, flat, owner, members in works:
            work.wait()
            if owner == self.group.rank:
                continue
            start = 0
            for p in members:
                p._array[...] = flat[start : start + p._array.size].reshape(p.shape)
                changed(p._array, "ZeroRedundancyOptimizer.step")
                start += p._array.size

    def consolidate_state_dict(self, to: int = 0) -> None:
        """Bring the state of all ranks to rank `to` of the group, where `state_dict()` can then be called.

        >>> optimizer = gg.distributed.ZeroRedundancyOptimizer([gg.ones(2, requires_grad=True)], gg.optim.Adam)
        >>> optimizer.consolidate_state_dict()
        >>> sorted(optimizer.state_dict())
        ['param_groups', 'state']
        """
        own = _on_host(self.optim.state_dict())
        parts = gathered(own, self.group)
        if self.group.rank == to:
            self._whole = {**own, "state": {i: s for part in parts for i, s in part["state"].items()}}

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state, as `optimizer_class` lays it out, on the rank to which `consolidate_state_dict`
        brought it. Raises StateDictError before that, and on the others."""
        if self._whole is None:
            raise StateDictError(
                "ZeroRedundancyOptimizer: call consolidate_state_dict(to=RANK) on all ranks, then state_dict() on that "
                "one"
            )
        whole, self._whole = self._whole, None
        return whole

    def local_state_dict(self) -> dict[str, Any]:
        """Return the state of this rank's parameters."""
        return self.optim.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the options and this rank's part of a whole state; all ranks are given the same."""
        order = [p for group in self.param_groups for p in group["params"]]
        indices = [i for group in state_dict["param_groups"] for i in group["params"]]
        owned = {i for i, p in zip(indices, order, strict=False) if self.owners[p] == self.group.rank}
        state = {i: s for i, s in state_dict["state"].items() if i in owned}
        self.optim.load_state_dict({**state_dict, "state": state})
        self.state = self.optim.state


def _owners(parameters: list[Tensor], ranks: int) -> dict[Tensor, int]:
    """Return the rank of each parameter, in the order of the parameters."""
    loads, owner = [0] * ranks, {}
    for p in sorted(parameters, key=lambda p: -p._array.size):
        rank = int(np.argmin(loads))
        loads[rank] += p._array.size
        owner[p] = rank
    return {p: owner[p] for p in parameters}


def _on_host(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state with Tensors on the host, which can be pickled."""
    moved = {
        i: {name: value.to("cpu") if isinstance(value, Tensor) else value for name, value in entry.items()}
        for i, entry in state["state"].items()
    }
    return {**state, "state": moved}
