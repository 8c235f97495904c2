"""Datasets, samplers and loaders: orders, batches, faults, places to go on from."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter, namedtuple

import numpy as np
import pytest
import torch.utils.data as torch_data

import gpugrad as gg
from gpugrad.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
    random_split,
)
from gpugrad.errors import DataError, DTypeError, OutOfRangeError, ShapeError, StateDictError

Pair = namedtuple("Pair", "number noise")


class Noisy(Dataset):
    """Samples with random numbers in them; `fault` says what happens at sample 7."""

    def __init__(self, n=20, fault=None):
        self.n, self.fault = n, fault

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if index == 7 and self.fault:
            self.fault()
        return Pair(index, {"noise": gg.rand(3), "text": str(index), "array": np.full((2, 2), index, np.int16)})


class Numbers(IterableDataset):
    def __init__(self, n=10):
        self.n = n

    def __iter__(self):
        assert get_worker_info() is None or get_worker_info().num_workers == 1
        for i in range(self.n):
            yield gg.tensor([float(i), gg.rand(()).item()])

    def __len__(self):
        return self.n


def plain(batch):
    """A batch as something that can be compared."""
    if isinstance(batch, gg.Tensor):
        return str(batch.dtype), batch.tolist()
    if isinstance(batch, dict):
        return {k: plain(v) for k, v in batch.items()}
    return tuple(map(plain, batch)) if isinstance(batch, tuple) else batch


def passes(dataset, count=2, **options):
    gg.manual_seed(5)
    loader = DataLoader(dataset, **options)
    return [[plain(batch) for batch in loader] for _ in range(count)]


def pulled(loader, count):
    batches = iter(loader)
    return [plain(next(batches)) for _ in range(count)]


@pytest.mark.parametrize(
    "options", [{"shuffle": True, "batch_size": 3}, {"batch_size": None}, {"drop_last": True, "batch_size": 7}]
)
def test_batches_do_not_depend_on_the_workers(options):
    alone = passes(Noisy(), **options)
    assert alone[0] != alone[1]
    assert passes(Noisy(), num_workers=1, in_order=False, **options) == alone
    assert passes(Noisy(), num_workers=3, prefetch_factor=1, persistent_workers=True, **options) == alone


def test_a_stream_does_not_depend_on_the_workers():
    alone = passes(Numbers(), batch_size=4)
    assert [len(b[1]) for b in alone[0]] == [4, 4, 2]
    assert passes(Numbers(), batch_size=4, num_workers=2) == alone
    assert passes(Numbers(), batch_size=4, num_workers=2, persistent_workers=True) == alone
    assert len(DataLoader(Numbers(), 4)) == 3
    assert [b[1] for b in passes(Numbers() + Numbers(2), 1, batch_size=None)[0]][-1][0] == 1
    with pytest.raises(ValueError, match="no order to shuffle"):
        DataLoader(Numbers(), shuffle=True)


def test_large_and_odd_batches_through_shared_memory():
    class Growing(Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, i):
            return {"a": np.full(10 ** (i % 4 + 1), i, np.float32), "b": gg.ones(i).astype("bfloat16"), "e": []}

    loader = DataLoader(Growing(), batch_size=None, num_workers=2)
    kept = list(loader)
    for i, batch in enumerate(kept):  # batches outlive the blocks that they came in
        assert batch["a"].tolist() == [i] * 10 ** (i % 4 + 1)
        assert batch["b"].dtype == gg.bfloat16 and batch["b"].tolist() == [1] * i
        batch["a"]._array[...] = 0  # writable


def test_a_pass_that_is_broken_off():
    loader = DataLoader(Noisy(), 2, num_workers=2, persistent_workers=True)
    assert [plain(b)[0][1] for b, _ in zip(loader, range(2), strict=False)] == [[0, 1], [2, 3]]
    workers = loader._workers
    assert [plain(b)[0][1] for b in loader] == [[i, i + 1] for i in range(0, 20, 2)]
    assert loader._workers is workers
    processes, blocks = list(workers.processes), list(workers.blocks)
    del loader, workers
    assert blocks and not any(os.path.exists(f"/dev/shm/{name}") for name in blocks)
    assert not any(process.is_alive() for process in processes)


def broken():
    raise KeyError("no such picture")


class Settings(Dataset):
    """Samples of what a worker's code finds: its seed, what its `init` drew, and the default dtype and device."""

    drawn: tuple = ()

    def __len__(self):
        return 2

    def __getitem__(self, i):
        info = get_worker_info()
        return info.seed, info.dataset.drawn, gg.default_dtype().name, gg.zeros(1).device.type


def draw(number):
    get_worker_info().dataset.drawn = gg.rand(1).item(), random.random(), np.random.rand()


@pytest.fixture
def double():
    gg.set_default_dtype("float64")
    yield
    gg.set_default_dtype("float32")


def test_what_a_worker_begins_with(double):
    def seen():
        gg.manual_seed(3)
        return list(DataLoader(Settings(), None, num_workers=2, worker_init_fn=draw, collate_fn=tuple))

    first, again = seen(), seen()
    assert first == again
    (seed, drawn, *rest), (other_seed, other_drawn, *others) = first
    assert seed != other_seed and all(a != b for a, b in zip(drawn, other_drawn, strict=True))
    assert rest == others == ["float64", "cpu"]


def test_a_spawned_worker_has_the_default_dtype(double):
    (batch,) = DataLoader([1.5, 2.5], 2, num_workers=1, multiprocessing_context="spawn")
    assert batch.dtype == gg.float64


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_sample_is_named(workers):
    loader = DataLoader(Noisy(fault=broken), 4, num_workers=workers)
    batches = iter(loader)
    next(batches)
    where = "worker 1: " if workers else ""
    with pytest.raises(
        DataError, match=where + "sample 7 of Noisy cannot be read: KeyError: 'no such picture'"
    ) as info:
        next(batches)
    if workers:
        assert 'raise KeyError("no such picture")' in "".join(info.value.__notes__)
    assert len(next(iter(loader))[0]) == 4  # the loader can be used again


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_is_named():
    with pytest.raises(
        DataError, match=r"worker 1 \(process \d+\) died: SIGKILL .*batch 1 with the samples \[4, 5, 6, 7\]"
    ):
        list(DataLoader(Noisy(fault=die), 4, num_workers=2))
    with pytest.raises(DataError, match="died: exit status 3"):
        list(DataLoader(Noisy(fault=lambda: os._exit(3)), 4, num_workers=1))


def test_a_worker_that_is_late_is_named():
    there, here = os.pipe()  # the worker waits at `there` until the loader stops it
    late = Noisy(fault=lambda: os.read(there, 1))
    loader = DataLoader(late, 4, num_workers=2, timeout=60, persistent_workers=True)
    batches = iter(loader)
    next(batches)
    workers = loader._workers
    workers.timeout, stop = 0.1, workers.stop
    workers.stop = lambda: (os.write(here, b"."), stop())
    with pytest.raises(DataError, match="worker 1 has not made batch 1 .* in 0.1 s"):
        next(batches)
    os.close(there)
    os.close(here)


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "end, words",
    [(lambda: sys.exit(3), "SystemExit: 3"), (interrupt, "KeyboardInterrupt"), (die, "SIGKILL")],
    ids=["exit", "interrupt", "kill"],
)
def test_what_a_worker_finished_before_its_end_is_not_lost(end, words):
    """The batches before the sample at which the worker ends come first, though it ends long before they are asked."""
    loader = DataLoader(Noisy(fault=end), 1, num_workers=1, prefetch_factor=8)
    numbers, batches = [], iter(loader)
    with pytest.raises(DataError, match=f"worker 0.*{words}"):
        for batch in batches:
            time.sleep(0 if numbers else 0.5)
            numbers.append(batch.number.item())
    assert numbers == [0, 1, 2, 3, 4, 5, 6]


def test_worker_init_that_ends_the_worker():
    with pytest.raises(DataError, match="worker_init_fn: SystemExit: 0"):
        list(DataLoader(Noisy(), 4, num_workers=1, worker_init_fn=lambda number: sys.exit(0)))


def test_worker_init_and_other_random_numbers():
    class Both(Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, i):
            return random.random(), np.random.rand(), get_worker_info().id, os.environ.get("WORKER", "")

    def init(number):
        os.environ["WORKER"] = f"w{number}"

    one, two = ([(a[1], b[1]) for a, b, _, _ in passes(Both(), 1, batch_size=2, num_workers=n)[0]] for n in (1, 2))
    assert one == two and len({str(x) for x in one}) == 3
    batches = list(DataLoader(Both(), 2, num_workers=2, worker_init_fn=init))
    assert [b[2].tolist() for b in batches] == [[0, 0], [1, 1], [0, 0]]
    assert [b[3] for b in batches] == [["w0"] * 2, ["w1"] * 2, ["w0"] * 2]
    with pytest.raises(DataError, match="worker_init_fn: KeyError"):
        list(DataLoader(Both(), num_workers=1, worker_init_fn=lambda i: broken()))
    assert get_worker_info() is None


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("dataset", [Noisy(), Numbers(20)])
def test_a_loader_goes_on_where_it_was(dataset, workers):
    def make():
        options = {} if isinstance(dataset, Numbers) else {"shuffle": True}
        return DataLoader(dataset, 3, num_workers=workers, **options)

    gg.manual_seed(1)
    loader = make()
    first = [plain(b) for b in loader]
    before = gg.get_rng_state()
    second, third = [plain(b) for b in loader], [plain(b) for b in loader]

    gg.set_rng_state(before)
    loader = make()
    assert pulled(loader, 2) == second[:2]
    state, random_state = loader.state_dict(), gg.get_rng_state()
    gg.manual_seed(99)
    other = make()
    other.load_state_dict(state)
    gg.set_rng_state(random_state)
    assert other.state_dict() == state
    assert [plain(b) for b in other] == second[2:]
    assert [plain(b) for b in other] == third
    assert first != second


def test_a_loader_with_generators_of_its_own_goes_on():
    def make():
        g, h = gg.Generator().manual_seed(3), gg.Generator().manual_seed(4)
        return DataLoader(Noisy(), 3, sampler=RandomSampler(range(20), generator=h), generator=g)

    whole = make()
    first, second = ([plain(b) for b in whole] for _ in range(2))
    part = make()
    pulled(part, 4)
    other = make()
    other.load_state_dict(part.state_dict())
    assert [plain(b) for b in other] == first[4:]
    assert [plain(b) for b in other] == second
    between = make()
    list(between)
    other = make()
    other.load_state_dict(between.state_dict())
    assert [plain(b) for b in other] == second


def test_the_default_stream_is_not_disturbed():
    gg.manual_seed(0)
    gg.default_generator().numpy.integers(1 << 63)
    expected = gg.rand(3).tolist()
    for workers in (0, 1):
        gg.manual_seed(0)
        for _ in DataLoader(Noisy(), 5, shuffle=True, num_workers=workers):
            pass
        assert gg.rand(3).tolist() == expected


def test_batches_on_a_device(device):
    for workers in (0, 1):
        batches = list(DataLoader(Noisy(), 4, device=device, num_workers=workers, pin_memory=True))
        assert [b.number.device for b in batches] == [device] * 5
        assert [b.number.tolist() for b in batches] == [list(range(i, i + 4)) for i in range(0, 20, 4)]
        assert batches[0].noise["text"] == ["0", "1", "2", "3"]
        assert batches[0].noise["noise"].device == device
    read = []

    class Counted(Noisy):
        def __getitem__(self, index):
            read.append(index)
            return super().__getitem__(index)

    loader = DataLoader(Counted(), 4, device=device)
    pulled(loader, 2)
    assert loader.state_dict()["batches"] == 2  # not what is on its way
    assert len(read) == (8 if device.type == "cpu" else 12)


def test_cuda_samples_of_a_worker_are_refused():
    class OnDevice(Noisy):
        def __getitem__(self, index):
            return gg.zeros(2, device="cuda")

    if not gg.cuda.is_available():
        pytest.skip("needs a cuda device")
    with pytest.raises(DataError, match="a worker made a Tensor on cuda:0"):
        list(DataLoader(OnDevice(), batch_size=None, num_workers=1))


def test_samplers():
    g = gg.Generator().manual_seed(0)
    assert sorted(RandomSampler(range(9), generator=g)) == list(range(9))
    assert list(RandomSampler(range(9), generator=g)) != list(RandomSampler(range(9), generator=g))
    counts = Counter(RandomSampler(range(5), num_samples=12, generator=g))
    assert sum(counts.values()) == 12 and min(counts.values()) == 2 and max(counts.values()) == 3
    assert len(set(RandomSampler(range(1000), replacement=True, generator=g))) < 700
    assert sorted(SubsetRandomSampler([4, 2, 8], g)) == [2, 4, 8]
    counts = Counter(WeightedRandomSampler([0, 1, 3], 4000, generator=g))
    assert counts[0] == 0 and abs(counts[2] / counts[1] - 3) < 0.4
    assert sorted(WeightedRandomSampler([0, 1, 3], 2, replacement=False, generator=g)) == [1, 2]
    for bad in (([1, -1], 2), ([0, 0], 2), ([1, 1], 0)):
        with pytest.raises(ValueError, match="weights must be|num_samples must be"):
            WeightedRandomSampler(*bad)
    with pytest.raises(ValueError, match="only 1 weights"):
        WeightedRandomSampler([1, 0], 2, replacement=False)
    batches = BatchSampler(range(7), 3, drop_last=False)
    assert list(batches) == list(torch_data.BatchSampler(range(7), 3, False)) and len(batches) == 3
    loader = DataLoader(Noisy(), batch_sampler=BatchSampler([3, 1, 2], 2, True))
    assert [b.number.tolist() for b in loader] == [[3, 1]] and len(loader) == 1


EMPTY = {
    "sampler": {"batch_size": 2, "sampler": []},
    "sampler of samples": {"batch_size": None, "sampler": []},
    "batch sampler": {"batch_sampler": []},
    "batch sampler without a full batch": {"batch_sampler": BatchSampler(range(5), 8, True)},
    "drop_last": {"batch_size": 8, "drop_last": True},
    "workers": {"batch_size": 8, "drop_last": True, "num_workers": 2},
}


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # PyTorch, on a single core
@pytest.mark.parametrize("options", EMPTY.values(), ids=EMPTY)
def test_empty_samplers_give_no_batches(options):
    data = list(range(5))
    for loader in (DataLoader(data, **options), torch_data.DataLoader(data, **options)):
        assert list(loader) == [] and len(loader) == 0


def test_empty_data_sets_give_no_batches():
    empty = TensorDataset(gg.zeros(0, 3))
    for data in (empty, Subset(range(3), []), ConcatDataset([empty, empty]), StackDataset(empty, empty), Numbers(0)):
        for size in (2, None):
            loader = DataLoader(data, size)
            assert list(loader) == [] and len(loader) == 0
    assert list(DataLoader(empty, 2, shuffle=True)) == []
    for sampler in (RandomSampler(empty), RandomSampler(empty, replacement=True), SubsetRandomSampler([])):
        assert list(sampler) == [] and len(sampler) == 0
    for lengths in ([], [0], [0, 0]):
        assert [len(part) for part in random_split(empty, lengths)] == lengths


def test_what_is_empty_is_not_missing():
    """A collate_fn that has a length, 0, is called."""

    class Joined(list):
        def __call__(self, samples):
            return "joined"

    assert list(DataLoader([1, 2], 2, collate_fn=Joined())) == ["joined"]


def test_places_that_are_none():
    loader = DataLoader(Noisy(), 4, generator=gg.Generator().manual_seed(1))
    before = loader.state_dict()
    states = before["generators"]
    odd = [{"generators": []}, {"generators": [3]}, {"generators": [{"seed": 3, "state": {}}]}]
    for bad in ({}, *odd, {"generators": states, "seed": "x"}, {"generators": states, "seed": 1, "batches": -1}):
        with pytest.raises(StateDictError, match="DataLoader: "):
            loader.load_state_dict(bad)
        assert loader.state_dict() == before


def test_datasets():
    ds = TensorDataset(gg.arange(3)) + TensorDataset(gg.arange(3) * 10)
    assert [ds[i][0].item() for i in range(-1, 6)] == [20, 0, 1, 2, 0, 10, 20]
    assert isinstance(ds, ConcatDataset) and ds.cumulative_sizes == [3, 6] and len(ds) == 6
    with pytest.raises(OutOfRangeError, match="index 6 is outside the 6"):
        ds[6]
    with pytest.raises(ValueError, match="at least one"):
        ConcatDataset([])
    assert [b[0].tolist() for b in DataLoader(Subset(ds, [5, 0]), 2)] == [[20, 0]]
    for lengths in ([0.5, 0.3, 0.2], [0.34, 0.33, 0.33], [1.0], [3, 8]):
        ours = [len(p) for p in random_split(range(11), lengths)]
        assert ours == [len(p) for p in torch_data.random_split(range(11), lengths)]


class Letters(Dataset):
    """Samples that are fetched many at once in PyTorch's way."""

    def __init__(self, short=False):
        self.short, self.asked = short, []

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return "abcde"[index]

    def __getitems__(self, indices):
        self.asked.append(list(indices))
        return [self[i] for i in indices][: 1 if self.short else None]


@pytest.mark.parametrize("named", [False, True])
def test_stacked_datasets_are_torchs(named):
    for first, second in (([1, 2, 3, 4, 5], Letters()), (Letters(), [5, 4, 3, 2, 1])):
        stacks = [
            lib.StackDataset(a=first, b=second) if named else lib.StackDataset(first, second)
            for lib in (gg.data, torch_data)
        ]
        ours, theirs = ([s[0], s[-1], s.__getitems__([3, 1]), s.__getitems__([]), len(s)] for s in stacks)
        assert ours == theirs
        batches = [list(lib.DataLoader(s, 2)) for lib, s in zip((gg.data, torch_data), stacks, strict=True)]
        for batch, expected in zip(*batches, strict=True):
            keys = "ab" if named else (0, 1)
            for value, other in ((batch[key], expected[key]) for key in keys):
                assert (value if isinstance(value, list) else value.tolist()) == (
                    list(other) if isinstance(other, (list, tuple)) else other.tolist()
                )
        letters = first if isinstance(first, Letters) else second
        assert letters.asked[-2:] == [[2, 3], [4]]


def test_stacked_datasets_that_make_batches():
    rows, labels = TensorDataset(gg.arange(6.0).reshape(3, 2)), TensorDataset(gg.arange(3))
    stack = StackDataset(x=rows, y=Subset(labels, [2, 1, 0]))
    whole, one_by_one = (list(DataLoader(s, 2)) for s in (stack, [stack[i] for i in range(3)]))
    assert [plain(b) for b in whole] == [plain(b) for b in one_by_one]
    assert plain(stack.batch(np.array([2, 0])))["y"][0][1] == [0, 2]
    assert StackDataset(rows, [1, 2, 3]).batch is None
    assert plain(next(iter(DataLoader(StackDataset(rows, [1, 2, 3]), 2, num_workers=1))))[1][1] == [1, 2]


def test_stacked_datasets_refuse():
    for args, kwargs in (((), {}), (([1],), {"a": [1]})):
        with pytest.raises(ValueError, match="all by position or all by keyword"):
            StackDataset(*args, **kwargs)
        with pytest.raises(ValueError, match=r"At least one|both"):
            torch_data.StackDataset(*args, **kwargs)
    with pytest.raises(ShapeError, match=r"one length, got \(1, 2\)"):
        StackDataset([1], [1, 2])
    with pytest.raises(ShapeError, match=r"{'a': 1, 'b': 2}"):
        StackDataset(a=[1], b=[1, 2])
    with pytest.raises(DataError, match="Letters.__getitems__: 2 samples expected, got 1"):
        list(DataLoader(StackDataset(Letters(short=True)), 2))
    with pytest.raises(DataError, match=r"samples 6, 7 of StackDataset .*sample 7 of Noisy cannot be read: KeyError"):
        list(
            DataLoader(StackDataset(Noisy(fault=broken), range(20)), batch_sampler=BatchSampler(range(6, 20), 2, False))
        )


def test_collate():
    with pytest.raises(ShapeError, match="pass a collate_fn"):
        gg.data.default_collate([gg.ones(2), gg.ones(3)])
    with pytest.raises(DTypeError, match="type object"):
        gg.data.default_collate([object()])
    with pytest.raises(DataError, match="no batch can be made of the samples 0, 1 of list: ShapeError"):
        list(DataLoader([np.ones(1), np.ones(2)], 2))
    assert gg.data.default_collate([Pair(1, 2.0), Pair(3, 4.0)]).noise.tolist() == [2, 4]
    assert gg.data.default_collate([True, False]).dtype == gg.bool_

    class Many(Noisy):
        def __getitems__(self, indices):
            return [gg.tensor(i) for i in indices]

    assert next(iter(DataLoader(Many(), 3))).tolist() == [0, 1, 2]


def test_arguments_that_exclude_each_other():
    data = Noisy()
    for options in (
        {"sampler": [1], "shuffle": True},
        {"batch_sampler": [[1]], "batch_size": 2},
        {"batch_size": None, "drop_last": True},
        {"prefetch_factor": 2},
        {"num_workers": -1},
        {"persistent_workers": True},
        {"batch_size": 0},
    ):
        with pytest.raises(ValueError, match="DataLoader: "):
            DataLoader(data, **options)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_ways_to_start_processes(method):
    dataset = TensorDataset(gg.arange(6.0), gg.arange(6) * 10)
    loader = DataLoader(dataset, 4, num_workers=1, multiprocessing_context=method)
    assert [(x.tolist(), y.tolist()) for x, y in loader] == [([0, 1, 2, 3], [0, 10, 20, 30]), ([4, 5], [40, 50])]


def test_a_program_that_is_killed_leaves_nothing():
    code = (
        "from gpugrad.data import *; import numpy as np, multiprocessing, time\n"
        "loader = DataLoader([np.zeros(9999)] * 99, num_workers=2, persistent_workers=True)\n"
        "for i, batch in enumerate(loader):\n"
        "    if i == 1:\n"
        "        print([p.pid for p in loader._workers.processes], list(loader._workers.blocks), flush=True)\n"
        "    time.sleep(0.05)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    numbers, blocks = re.findall(r"\[(.*?)\]", process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    left = [f"/proc/{n}" for n in numbers.split(", ")] + [
        f"/dev/shm/{name}" for name in blocks.replace("'", "").split(", ")
    ]
    deadline = time.time() + 20
    while any(map(os.path.exists, left)) and time.time() < deadline:
        time.sleep(0.05)
    assert len(left) >= 4 and not any(map(os.path.exists, left))
