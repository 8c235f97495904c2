"""The checks that run on several ranks: `gpugrad launch -n N tests/distributed/on_ranks.py FOLDER [WORD ...]`.

Each function called check_... runs on all ranks, in this order; WORDs choose those with one of them in their names.
"""

import random
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

import gpugrad as gg
from gpugrad import distributed as dist
from gpugrad import nn
from gpugrad.distributed import functional as df
from gpugrad.errors import CheckpointError, DistributedError, StateDictError
from gpugrad.nn import functional as F
from tests.distributed.training import (
    BATCH,
    GPT,
    MLP,
    ResNet,
    Untied,
    adam,
    alone,
    close,
    halves,
    own,
    sgd,
)  # fmt: skip

RANK, SIZE = 0, 1
FOLDER = Path()


def total(value):
    """The mean over the ranks of a loss."""
    found = gg.tensor(value.detach().numpy(), dtype="float64")
    dist.all_reduce(found, "avg")
    return found.item()


# Collectives


def values(rank, shape, dtype):
    """Whole numbers that every dtype holds exactly, others on each rank."""
    made = np.random.default_rng(rank).integers(-3, 4, shape)
    return gg.asarray(made, dtype=dtype)


def check_collectives_against_numpy():
    for dtype in ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8"):
        for shape in ((), (5,), (2, 3), (0, 2)):
            whole = np.stack([values(r, shape, dtype).numpy().astype(np.float64) for r in range(SIZE)])
            for op, expected in (("sum", whole.sum(0)), ("max", whole.max(0)), ("min", whole.min(0))):
                if dtype == "uint8" and op == "sum":
                    continue
                x = values(RANK, shape, dtype)
                assert dist.all_reduce(x, op) is None
                close(x.numpy(), expected, f"all_reduce {op} {dtype} {shape}", 0)
            x = values(RANK, shape, dtype)
            dist.broadcast(x, SIZE - 1)
            close(x.numpy(), whole[-1], f"broadcast {dtype}", 0)
            rows = [gg.zeros(shape, dtype=dtype) for _ in range(SIZE)]
            work = dist.all_gather(rows, values(RANK, shape, dtype), async_op=True)
            assert work.wait() and work.is_completed()
            close([r.numpy() for r in rows], whole, f"all_gather {dtype}", 0)
    x = values(RANK, (3,), "float64")
    dist.all_reduce(x, dist.ReduceOp.AVG)
    close(x.numpy(), np.mean([values(r, (3,), "float64").numpy() for r in range(SIZE)], 0), "avg")
    turned = gg.asarray(np.arange(6.0).reshape(2, 3).T)  # not contiguous
    dist.all_reduce(turned)
    close(turned.numpy(), SIZE * np.arange(6.0).reshape(2, 3).T, "of a transposed view")


def check_scattered_and_exchanged():
    out = gg.zeros(2, dtype="float64")
    parts = [gg.asarray([r + 10.0 * RANK, 1.0], dtype="float64") for r in range(SIZE)]
    dist.reduce_scatter(out, parts)
    close(out.numpy(), [SIZE * RANK + 10.0 * sum(range(SIZE)), SIZE], "reduce_scatter")
    out = gg.zeros(2, dtype="bfloat16")
    dist.reduce_scatter_tensor(out, gg.ones(2 * SIZE, dtype="bfloat16"))
    assert out.tolist() == [SIZE] * 2
    out = gg.zeros(SIZE, dtype="int64")
    dist.all_to_all_single(out, gg.arange(SIZE) + 10 * RANK)
    assert out.tolist() == [10 * r + RANK for r in range(SIZE)]
    uneven = [gg.zeros(RANK + 1) for _ in range(SIZE)]
    dist.all_to_all(uneven, [gg.full((r + 1,), RANK, dtype="float32") for r in range(SIZE)])
    assert [t.tolist() for t in uneven] == [[r] * (RANK + 1) for r in range(SIZE)]
    out = gg.zeros(2 * SIZE)
    dist.all_gather_into_tensor(out, gg.full((2,), RANK, dtype="float32"))
    assert out.tolist() == [r for r in range(SIZE) for _ in "12"]
    if SIZE > 1:
        received = gg.zeros(3)
        sent = dist.isend(gg.full((3,), RANK, dtype="float32"), (RANK + 1) % SIZE, tag=4)
        dist.recv(received, (RANK - 1) % SIZE, tag=4)
        sent.wait()
        assert received.tolist() == [(RANK - 1) % SIZE] * 3
    objects = [None] * SIZE
    dist.all_gather_object(objects, {"rank": RANK, "text": "x" * RANK})
    assert objects == [{"rank": r, "text": "x" * r} for r in range(SIZE)]
    told = [RANK, "a"]
    dist.broadcast_object_list(told, src=SIZE - 1)
    assert told == [SIZE - 1, "a"]


def check_groups():
    evens = dist.new_group(range(0, SIZE, 2))
    turned = dist.new_group(range(SIZE)[::-1])
    assert (evens is None) == bool(RANK % 2) and turned.rank == SIZE - 1 - RANK
    x = gg.asarray([float(RANK)])
    if evens is not None:
        dist.all_reduce(x, group=evens)
        assert x.item() == sum(range(0, SIZE, 2))
    rows = [gg.zeros(1) for _ in range(SIZE)]
    dist.all_gather(rows, gg.full((1,), RANK, dtype="float32"), group=turned)
    assert [r.item() for r in rows] == list(range(SIZE))[::-1]
    dist.broadcast(x, src=0, group=turned)


def check_adjoints():
    """<g, A x> of all ranks together is <A' g, x>, and the second derivative flows too."""
    cases = [
        (df.all_reduce, (4, 2), {}), (df.all_gather, (2, 3), {}), (df.reduce_scatter, (2 * SIZE, 3), {}),
        (df.all_to_all, (2 * SIZE, 2), {}), (df.broadcast_from, (3,), {"source": SIZE - 1}),
        (df.reduce_to, (3,), {"source": 0}), (df.shift, (3,), {"by": 1}), (df.shift, (3,), {"by": -2}),
    ]  # fmt: skip
    drawn = np.random.default_rng(RANK)
    for function, shape, words in cases:
        x = gg.tensor(drawn.normal(size=shape), requires_grad=True)
        y = function(x, **words)
        g = gg.tensor(drawn.normal(size=y.shape), requires_grad=True)
        (pulled,) = gg.grad((y * g).sum(), [x], create_graph=True)
        left, right = (g * y).sum().detach(), (pulled * x).sum().detach()
        dist.all_reduce(left)
        dist.all_reduce(right)
        close(left.numpy(), right.numpy(), f"the adjoint of {function.name}")
        v = gg.asarray(drawn.normal(size=shape))
        (back,) = gg.grad((pulled * v).sum(), [g])  # the adjoint of the adjoint is the op itself
        close(back.numpy(), function(v, **words).numpy(), f"twice, {function.name}")


def check_checked_mode_names_the_difference():
    if SIZE == 1:
        return
    group = dist.new_group()
    group.checked = True
    dist.all_reduce(gg.ones(3), group=group)
    for call in (
        lambda: dist.all_reduce(gg.ones(3 + (RANK == SIZE - 1)), group=group),
        lambda: dist.all_reduce(gg.ones(3, dtype="float64" if RANK else "float32"), group=group),
        lambda: dist.broadcast(gg.ones(3), 0, group=group) if RANK else dist.all_reduce(gg.ones(3), group=group),
    ):
        try:
            call()
        except DistributedError as error:
            text = str(error)
            assert "rank 0: all_reduce(sum) of float32 (3,)" in text or "ranks 0" in text, text
            assert text.count("on_ranks.py") == 2 and f"{SIZE - 1}:" in text, text
        else:
            raise AssertionError("not noticed")


def check_a_timeout_names_the_call():
    if SIZE == 1:
        return
    group = dist.new_group()
    if RANK:
        work = dist.all_reduce(gg.ones(2), group=group, async_op=True)
        try:
            work.wait(timeout=0.01)
        except DistributedError as error:
            assert "all_reduce(sum) of float32 (2,)" in str(error) and "0.01 s" in str(error), error
        else:
            raise AssertionError("rank 0 has not begun")
    dist.barrier()
    if not RANK:
        work = dist.all_reduce(gg.ones(2), group=group, async_op=True)
    assert work.wait()


# Training


def train(problem, wrap, optimizer=sgd, clip=0.5, accumulate=False, clip_by=None):
    """(losses, the model) of all ranks together."""
    model = wrap(problem.model())
    made = optimizer(model.parameters())
    losses = []
    for step in range(problem.steps):
        made.zero_grad()
        pieces = halves(own(RANK, SIZE)) if accumulate else (own(RANK, SIZE),)
        loss = 0.0
        for i, piece in enumerate(pieces):
            part = problem.loss(model, *problem.batch(step, piece)) / len(pieces)
            if i < len(pieces) - 1:
                with model.no_sync():
                    part.backward()
            else:
                part.backward()
            loss = loss + part.detach()
        if clip:
            (clip_by or nn.utils.clip_grad_norm_)(model.parameters(), clip)
        made.step()
        losses.append(total(loss))
    return losses, model


def same(model, expected, what):
    state = model.state_dict()
    assert state.keys() == expected.keys()
    for name, value in state.items():
        close(value.numpy(), expected[name], f"{what}: {name}")


def data_parallel(model):
    return dist.DistributedDataParallel(model, bucket_cap_mb=0.001)


def check_data_parallel_is_one_process():
    for problem in (MLP(), GPT()):
        for optimizer in (sgd, adam) if isinstance(problem, MLP) else (sgd,):
            expected, state = alone(problem, optimizer)
            got, model = train(problem, data_parallel, optimizer)
            close(got, expected, f"losses of {type(problem).__name__}")
            if optimizer is sgd:
                same(model, state, type(problem).__name__)
    expected, state = alone(MLP())
    if BATCH // SIZE % 2 == 0 or SIZE == 1:
        got, model = train(MLP(), data_parallel, accumulate=True)
        close(got, expected, "losses with accumulation")
        same(model, state, "accumulation")


def check_synchronised_batch_norm_is_one_process():
    def synced(model):
        return dist.DistributedDataParallel(dist.SyncBatchNorm.convert_sync_batchnorm(model))

    expected, state = alone(ResNet())
    got, model = train(ResNet(), synced)
    close(got, expected, "losses of ResNet-20")
    same(model, state, "ResNet-20")
    layer, plain = dist.SyncBatchNorm(3).double(), nn.BatchNorm2d(3).double()
    x = np.random.default_rng(5).normal(size=(2 * SIZE + 1, 3, 2, 2))  # parts of different sizes
    part = slice(2 * RANK, 2 * RANK + 2 + (RANK == SIZE - 1))
    mine, whole = gg.tensor(x[part], requires_grad=True), gg.tensor(x, requires_grad=True)
    out, expected = layer(mine), plain(whole)
    close(out.detach().numpy(), expected.detach().numpy()[part], "uneven parts")
    (out**3).sum().backward()
    (expected**3).sum().backward()
    close(mine.grad.numpy(), whole.grad.numpy()[part], "the gradient of uneven parts")
    close(layer.running_var.numpy(), plain.running_var.numpy(), "running_var")


def check_reruns_give_the_same_bits():
    def run():
        problem = MLP()
        problem.steps = 200
        losses, model = train(problem, data_parallel, clip=0)
        return losses, [value.numpy().tobytes() for value in model.state_dict().values()]

    first = run()
    assert first == run(), "a second run"
    everywhere = [None] * SIZE
    dist.all_gather_object(everywhere, first[1])
    assert all(bits == first[1] for bits in everywhere), "the ranks' parameters"


def check_buckets_and_hooks_at_random():
    """Whatever the buckets, the order in which a graph uses parameters, and hooks: the mean of all ranks' gradients."""
    drawn = random.Random(7)
    for trial in range(12):
        count = drawn.randint(1, 9)
        shapes = [tuple(drawn.choices([1, 2, 3], k=drawn.randint(1, 2))) for _ in range(count)]
        order, used = drawn.sample(range(count), count), drawn.randint(1, count)
        kinds = [drawn.choice(["float32", "float64"]) for _ in range(count)]
        model = nn.ParameterList([nn.Parameter(gg.ones(s, dtype=k)) for s, k in zip(shapes, kinds, strict=True)])
        ddp = dist.DistributedDataParallel(
            model, bucket_cap_mb=drawn.choice([1e-6, 2e-5, 1]), find_unused_parameters=True
        )
        heard = []
        for p in drawn.sample(list(model), drawn.randint(0, count)):
            p.register_hook(lambda g, heard=heard: heard.append(g.shape))
        late = RANK == 0 and trial % 3 == 0  # a parameter that rank 0 alone uses
        chosen = order[: used + 1] if late else order[:used]
        if trial % 4 == 0:
            chosen = chosen[::-1] if RANK % 2 else chosen
        for step in (1.0, 2.0):
            model.zero_grad()
            loss = sum((model[i].double() * (i + 1.0) * (RANK + step)).sum() for i in chosen)
            loss.backward()
            for i, p in enumerate(model):
                everywhere = i in order[:used]
                only_first = trial % 3 == 0 and not everywhere and i in order[: used + 1]
                if not everywhere and not only_first:
                    assert p.grad is None, (trial, i)
                    continue
                users = range(SIZE) if everywhere else [0]
                expected = (i + 1.0) * sum(r + step for r in users) / SIZE
                close(p.grad.numpy(), np.full(p.shape, expected), f"trial {trial}, parameter {i}", 1e-6)
        del ddp


def check_unused_parameters_are_named():
    model = nn.ModuleDict({"used": nn.Linear(2, 1), "idle": nn.Linear(2, 1)})
    ddp = dist.DistributedDataParallel(model)
    try:
        model["used"](gg.ones(1, 2)).sum().backward()
    except DistributedError as error:
        assert "idle.weight, idle.bias" in str(error) and "find_unused_parameters=True" in str(error), error
    else:
        raise AssertionError("not noticed")
    assert ddp is not None
    dist.barrier()


def check_models_that_differ_are_refused():
    if SIZE == 1:
        return
    try:
        dist.DistributedDataParallel(nn.Linear(2, 1 + (RANK == 1)))
    except DistributedError as error:
        assert "build the same model" in str(error)
    else:
        raise AssertionError("not noticed")


def check_uneven_inputs_are_joined():
    model = dist.DistributedDataParallel(nn.Linear(2, 1, bias=False).double(), broadcast_buffers=True)
    optimizer = gg.optim.SGD(model.parameters(), lr=0.5)
    start = model.module.weight.detach().numpy().copy()
    with model.join():
        for _ in range(RANK + 1):  # rank r has r + 1 batches
            optimizer.zero_grad()
            model(gg.ones(1, 2, dtype="float64")).sum().backward()
            optimizer.step()
    # Step s has SIZE - s ranks with a gradient of 1; ranks that are done take no steps of the optimizer.
    moved = sum((SIZE - s) / SIZE for s in range(RANK + 1))
    close(model.module.weight.detach().numpy(), start - 0.5 * moved, "joined steps")


def check_checkpointed_modules():
    """A module whose forward is computed again in backward gives each parameter its whole gradient, once."""
    problem = MLP()
    expected, state = alone(problem)

    class Again(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return gg.checkpoint(self.inner, x)

    got, model = train(problem, lambda m: data_parallel(Again(m)))
    close(got, expected, "losses")
    same(model, {f"inner.{name}": value for name, value in state.items()}, "checkpoint")


# Sharded state


def check_zero_is_the_optimizer():
    for kind, words in ((gg.optim.SGD, {"lr": 0.2, "momentum": 0.9}), (gg.optim.AdamW, {"lr": 0.02})):
        expected, model = train(MLP(), data_parallel, partial(kind, **words))
        made = []

        def zero(parameters, kind=kind, words=words, made=made):
            made.append(dist.ZeroRedundancyOptimizer(parameters, kind, **words))
            return made[-1]

        got, sharded = train(MLP(), data_parallel, zero)
        assert got == expected
        for a, b in zip(model.parameters(), sharded.parameters(), strict=True):
            assert a.tolist() == b.tolist()
        if SIZE > 1:
            assert len(made[0].local_state_dict()["state"]) < 6
        made[0].consolidate_state_dict(to=0)
        if RANK == 0:
            assert sorted(made[0].state_dict()["state"]) == list(range(6))
        else:
            try:
                made[0].state_dict()
            except StateDictError as error:
                assert "consolidate_state_dict" in str(error)
            else:
                raise AssertionError("not noticed")


def fully_sharded(model):
    return dist.FullyShardedDataParallel(model, unit=(nn.Linear, type(model.transformer.h[0]))
                                         if hasattr(model, "transformer") else nn.Linear)  # fmt: skip


def check_fully_sharded_is_one_process():
    for problem in (MLP(), Untied()):
        if isinstance(problem, Untied):
            wraps = [lambda m: dist.FullyShardedDataParallel(m, unit=type(m.transformer.h[0]))]
        else:
            wraps = [fully_sharded, dist.FullyShardedDataParallel]
            wraps.append(lambda m: dist.FullyShardedDataParallel(m, unit=nn.Linear, reshard_after_forward=False))
        expected, state = alone(problem)
        for wrap in wraps:
            kept = []

            def keep(model, wrap=wrap, kept=kept):
                kept.append(wrap(model))
                return kept[-1]

            got, model = train(problem, keep, clip_by=lambda _, limit, kept=kept: kept[0].clip_grad_norm_(limit))
            close(got, expected, f"losses of {type(problem).__name__}")
            same(model, state, "fully sharded")
            sizes = sum(p._array.size for p in model.parameters())
            assert sizes <= sum(v.size for v in state.values()) / SIZE + 10 * len(list(model.parameters()))
    expected, state = alone(GPT())  # the tied weights are in one unit
    got, model = train(GPT(), dist.FullyShardedDataParallel, clip=0)
    close(got, alone(GPT(), clip=0)[0], "losses of a GPT with tied weights")


def check_sharded_checkpoints():
    """What SIZE ranks write, one process reads, and ranks that keep it in another way."""
    problem, place = MLP(), FOLDER / f"checkpoint{SIZE}"
    for wrap, make in (
        (data_parallel, adam), (fully_sharded, adam),
        (data_parallel, lambda p: dist.ZeroRedundancyOptimizer(p, gg.optim.AdamW, lr=0.02)),
    ):  # fmt: skip
        model = wrap(problem.model())
        optimizer = make(model.parameters())
        for step in range(2):
            optimizer.zero_grad()
            problem.loss(model, *problem.batch(step, own(RANK, SIZE))).backward()
            optimizer.step()
        dist.save_sharded(place, model, optimizer, {"step": 2})
        dist.barrier()
        files = sorted(f.name for f in place.iterdir())
        assert len(files) == 2 * SIZE + 1, files
        expected = {name: value.numpy().copy() for name, value in model.state_dict().items()}
        for other, again in ((data_parallel, adam), (fully_sharded, adam), (lambda m: m, adam)):
            fresh = other(problem.model())
            remade = again(fresh.parameters())
            assert dist.load_sharded(place, fresh, remade) == {"step": 2}
            for name, value in fresh.state_dict().items():
                assert value.tolist() == expected[name].tolist(), name
            continued(problem, model, optimizer, fresh, remade)
            dist.load_sharded(place, model, optimizer)
        dist.barrier()
    try:
        dist.load_sharded(place, nn.Linear(2, 1))
    except StateDictError as error:
        assert "another model" in str(error) and "missing: bias, weight" in str(error), error
    else:
        raise AssertionError("not noticed")
    try:
        dist.load_sharded(FOLDER / "nowhere", nn.Linear(2, 1))
    except CheckpointError as error:
        assert "there is no checkpoint" in str(error)
    else:
        raise AssertionError("not noticed")


def continued(problem, model, optimizer, fresh, remade):
    """One more step of both, on this rank's or the whole batch, gives the same parameters."""
    for net, opt in ((model, optimizer), (fresh, remade)):
        part = own(RANK, SIZE) if isinstance(net, (dist.DistributedDataParallel, dist.FullyShardedDataParallel)) else (
            slice(None))  # fmt: skip
        opt.zero_grad()
        problem.loss(net, *problem.batch(9, part)).backward()
        opt.step()
    state = model.state_dict()
    for name, value in fresh.state_dict().items():
        close(value.numpy(), state[name].numpy(), f"continued: {name}", 1e-11)


# Parts of models


def check_tensor_parallel_is_one_process():
    problem = GPT()
    expected, state = alone(problem, clip=0)
    model = dist.parallelize_gpt(problem.model())
    optimizer = sgd(model.parameters())
    losses = []
    for step in range(problem.steps):
        x, y = problem.batch(step)
        optimizer.zero_grad()
        loss = dist.vocab_parallel_cross_entropy(model(x).reshape(-1, 24 // SIZE), y.reshape(-1))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    close(losses, expected, "losses of a GPT on parts")
    place = FOLDER / f"parts{SIZE}{problem.tied}"
    dist.save_sharded(place, model, optimizer)
    whole = problem.model()
    dist.load_sharded(place, whole)
    same(whole, state, "tensor parallel")
    again = dist.parallelize_gpt(problem.model())
    dist.load_sharded(place, again, sgd(again.parameters()))
    for a, b in zip(again.parameters(), model.parameters(), strict=True):
        assert a.tolist() == b.tolist()
    layer = nn.Linear(6, 12).double()
    for parameter in layer.parameters():
        dist.broadcast(parameter.data, 0)
    x = gg.asarray(np.random.default_rng(0).normal(size=(2, 3, 12)))
    wide = dist.ColumnParallelLinear.of(layer, gather_output=True, blocks=1)
    close(wide(x[..., :6]).detach().numpy(), layer(x[..., :6]).detach().numpy(), "gathered outputs")
    narrow = nn.Linear(12, 5).double()
    for parameter in narrow.parameters():
        dist.broadcast(parameter.data, 0)
    rows = dist.RowParallelLinear.of(narrow, input_is_parallel=False)
    close(rows(x).detach().numpy(), narrow(x).detach().numpy(), "whole inputs")


def check_pipeline_is_one_process():
    problem = Untied()
    expected, state = alone(problem, clip=0)
    for pieces in (1, 4):
        model = problem.model()
        stage = dist.GPTStage(model, RANK, SIZE)
        loss = lambda out, y: F.cross_entropy(out.reshape(-1, 24), y.reshape(-1))  # noqa: E731
        schedule = dist.ScheduleGPipe(stage, pieces, loss)
        optimizer = sgd(stage.parameters())
        losses = []
        for step in range(problem.steps):
            optimizer.zero_grad()
            found = schedule.step(*problem.batch(step))
            optimizer.step()
            assert (found is None) == (RANK < SIZE - 1)
            losses.append(0.0 if found is None else found.item())
        if RANK == SIZE - 1:
            close(losses, expected, f"losses of a pipeline, {pieces} pieces")
        kept = {id(p) for p in stage.parameters()}
        for name, parameter in model.named_parameters():
            if id(parameter) in kept:
                close(parameter.detach().numpy(), state[name], f"pipeline: {name}")


def check_ring_attention_is_attention():
    drawn = np.random.default_rng(4)
    length = 4 * SIZE
    whole = [gg.tensor(drawn.normal(size=(2, 3, length, 5)), requires_grad=True) for _ in "qkv"]
    part = slice(4 * RANK, 4 * RANK + 4)
    g = drawn.normal(size=(2, 3, length, 5))
    for causal in (False, True):
        parts = [gg.tensor(t.detach().numpy()[:, :, part], requires_grad=True) for t in whole]
        out = dist.ring_attention(*parts, causal=causal)
        expected = F.scaled_dot_product_attention(*whole, is_causal=causal)
        close(out.detach().numpy(), expected.detach().numpy()[:, :, part], "ring attention")
        found = gg.grad((out * gg.asarray(g[:, :, part])).sum(), parts)
        wanted = gg.grad((expected * gg.asarray(g)).sum(), whole)
        for a, b in zip(found, wanted, strict=True):
            close(a.numpy(), b.numpy()[:, :, part], "the gradient of ring attention")


def check_cuda_arrays_over_mpi():
    if not gg.cuda.is_available():
        return
    x = gg.full((3,), RANK + 1, dtype="float32", device="cuda")
    dist.all_reduce(x)
    assert x.device.type == "cuda" and x.tolist() == [SIZE * (SIZE + 1) / 2] * 3
    model = dist.DistributedDataParallel(nn.Linear(2, 1).to("cuda"))
    model(gg.full((2, 2), RANK, dtype="float32", device="cuda")).mean().backward()
    close(model.module.weight.grad.cpu().numpy(), np.full((1, 2), (SIZE - 1) / 2), "on cuda", 1e-6)


def main():
    global RANK, SIZE, FOLDER
    FOLDER, words = Path(sys.argv[1]), sys.argv[2:] or [""]
    dist.init_process_group(timeout=120)
    RANK, SIZE = dist.get_rank(), dist.get_world_size()
    for name, check in list(globals().items()):
        if name.startswith("check_") and any(word in name for word in words):
            start = time.perf_counter()
            check()
            dist.barrier()
            if RANK == 0:
                print(f"{name} passed, {time.perf_counter() - start:.2f} s", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
