"""Work over several threads: how it is cut, what errors do, and that BLAS gets its threads back."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.backend.cpu import blas, gemm, threads
from gpugrad.backend.cpu.worker import repeated


@pytest.fixture
def two_threads():
    before = gg.get_num_threads()
    gg.set_num_threads(2)
    yield
    gg.set_num_threads(before)


def test_chunks_cover_everything_once(two_threads):
    for n, least in [(0, 1), (1, 1), (7, 1), (100, 30), (100, 60), (1000, 1)]:
        parts = threads.chunks(n, least)
        assert [i for part in parts for i in range(n)[part]] == list(range(n))
    assert len(threads.chunks(100, 60)) == 1 and len(threads.chunks(100, 30)) == 2


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_are_in_order_and_errors_are_raised(two_threads, count):
    gg.set_num_threads(count)
    for pause in (0, 0, 0.02):  # after the last one the worker sleeps
        assert threads.parallel(lambda part: part * part, range(7)) == [i * i for i in range(7)]
        time.sleep(pause)
    assert threads.parallel(len, ["one"]) == [3]

    def fail(part):
        if part == wrong:
            raise ZeroDivisionError(part)

    for wrong in range(3):
        with pytest.raises(ZeroDivisionError, match=str(wrong)):
            threads.parallel(fail, range(3))


@pytest.mark.skipif(not os.path.exists("/sys/kernel/mm/transparent_hugepage"), reason="needs huge pages")
@pytest.mark.parametrize(("choice", "least"), [("", 200 << 20), ("system", 0)])
def test_the_heap_asks_for_huge_pages(choice, least):
    program = """if True:
        import gpugrad, re
        maps = open("/proc/self/smaps").read()
        asked = re.findall(r"Size: +(\\d+) kB(?:\\n\\w+: .*)*?\\nVmFlags:.* hg", maps)
        print(sum(int(size) for size in asked) << 10)
    """
    environment = {**os.environ, "GPUGRAD_MALLOC": choice}
    asked = int(
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True).stdout
    )
    assert asked >= least and (least or not asked)


def test_parts_run_on_several_threads_at_once(two_threads):
    both = threading.Barrier(2, timeout=60)
    names = threads.parallel(lambda part: (both.wait(), threading.current_thread().name)[1], range(2))
    assert names == [threading.current_thread().name, "gpugrad-1"]


def test_a_watching_thread_sees_a_bell_and_says_without_the_gil_that_it_watches():
    bell, said = np.array([True, False]), np.array([False, False])
    rows = repeated(bell, 1 << 50)  # reading all would take days
    watcher = threading.Thread(target=lambda: np.logical_or.reduce(rows, axis=1, out=said), daemon=True)
    watcher.start()
    while not said[0]:
        pass
    assert not said[1] and watcher.is_alive()
    bell[1] = True
    watcher.join(60)
    assert said[1] and not watcher.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_forked_process_starts_threads_of_its_own(two_threads):
    held, over = threading.Event(), threading.Event()

    def hold():
        with threads.one_blas_thread:
            held.set()
            over.wait()

    threads.parallel(lambda part: part, range(2))
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if not child:
        signal.alarm(60)  # ends it if it waits for the other thread
        os._exit(threads.parallel(lambda part: part, range(2)) != [0, 1])
    over.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tasks_beside_the_caller(two_threads, count):
    gg.set_num_threads(count)
    ran = []
    with threads.Concurrent() as jobs:
        numbers = [jobs.add(lambda part: ran.append(part) or part * part, i) for i in range(20)]
        jobs.wait(numbers[7])
        assert jobs.results[7] == 49
        with threads.Concurrent() as inner:
            inner.add(sum, [1, 2])
    assert jobs.results == [i * i for i in range(20)] and inner.results == [3]
    assert sorted(ran) == list(range(20))


@pytest.mark.parametrize("helped", [False, True])
def test_an_error_beside_the_caller_is_raised_after_all_have_stopped(two_threads, helped):
    running = []

    def task(part):
        running.append(part)
        if part == 3:
            raise ZeroDivisionError(part)
        running.remove(part)

    with pytest.raises(ZeroDivisionError), threads.Concurrent(helped) as jobs:
        for i in range(10):
            jobs.add(task, i)
    assert running == [3]
    begun = []
    with pytest.raises(KeyError), threads.Concurrent(helped) as jobs:
        for i in range(1000):
            jobs.add(begun.append, i)
        raise KeyError("the caller's own error")
    # Those that begin do so in order; a worker that is late finds the first ones dropped.
    assert running == [3] and begun == sorted(begun)
    assert helped or not begun
    assert threads.parallel(lambda part: part, threads.chunks(10, 1)) == threads.chunks(10, 1)


def test_blas_has_its_threads_back_after_products_from_many_threads(two_threads):
    x = gg.tensor(np.random.default_rng(0).standard_normal((300, 300)).astype(np.float32))
    before = blas.get_num_threads()
    expected, results = (x @ x).numpy(), []

    def work():
        results.extend((x @ x).numpy() for _ in range(50))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 200 and all(np.array_equal(r, expected) for r in results)
    assert blas.get_num_threads() == before


@pytest.mark.parametrize("shapes", [
    ((4, 100, 200), (200, 130)), ((4, 100, 200), (4, 200, 130)), ((1, 100, 200), (4, 200, 130)),
    ((4, 1, 100, 200), (3, 200, 130)), ((100, 200), (5, 200, 130)), ((1, 300, 200), (1, 200, 130)),
    ((1, 3, 100, 200), (3, 200, 130)), ((2, 7, 64, 256), (256, 96)), ((64, 1024), (1024, 256)), ((33, 256), (256, 500)),
])  # fmt: skip
def test_products_of_every_rank_are_cut_over_threads_and_leave_blas_alone(two_threads, shapes, monkeypatch):
    counts = []
    multiply = gemm.multiply
    monkeypatch.setattr(gemm, "multiply", lambda *args: (counts.extend(blas.get_num_threads()), multiply(*args)))
    x, w = (np.random.default_rng(0).standard_normal(shape) for shape in shapes)
    for a in (x, np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)):
        counts.clear()
        np.testing.assert_allclose((gg.tensor(a) @ gg.tensor(w)).numpy(), a @ w, 1e-10, 1e-10)
        assert counts and set(counts) == {1}


def test_blas_has_one_thread_whichever_thread_calls(two_threads, monkeypatch):
    counts, multiply = [], gemm.multiply
    monkeypatch.setattr(gemm, "multiply", lambda *args: (counts.extend(blas.get_num_threads()), multiply(*args)))
    x = gg.tensor(np.ones((200, 300), np.float32))
    (x @ x.T).numpy()
    thread = threading.Thread(target=lambda: x @ x.T)
    thread.start()
    thread.join()
    assert len(counts) == 4 * len(blas.get_num_threads()) and set(counts) == {1}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blas_adds_arrays_or_says_that_it_does_not(dtype):
    x, y = np.random.default_rng(0).standard_normal((2, 40, 50)).astype(dtype)
    result = y.copy()
    if not blas.axpby(0.5, x, -2.0, result):
        pytest.skip("this NumPy's BLAS has no axpby")
    np.testing.assert_allclose(result, 0.5 * x - 2 * y, 10 * np.finfo(dtype).eps, 1e-6)
    for alpha, a, beta, b in [
        (0.0, x, 1.0, y), (1.0, x, 0.0, y), (1.0, x.T, 1.0, y.T), (1.0, x[0], 1.0, y), (1.0, x.astype("f2"), 1.0, y),
        (1.0, x.astype(int), 1.0, y.astype(int)),
    ]:  # fmt: skip
        before = b.copy()
        assert not blas.axpby(alpha, a, beta, b)
        np.testing.assert_array_equal(b, before)


def bits_of(compute, leaves):
    """The bits of what `compute()` gives and of its gradients."""
    output = compute()
    output.backward(gg.ones_like(output.detach()) * 0.5)
    bits = [t.detach().numpy().tobytes() for t in (output, *[leaf.grad for leaf in leaves])]
    for leaf in leaves:
        leaf.grad = None
    return bits


def one_block_of_convolution():
    """A product of one block: it is not cut, but large enough for a BLAS to cut it."""
    x, w = gg.randn(64, 1, 28, 28, requires_grad=True), gg.randn(16, 1, 1, 1, requires_grad=True)
    return lambda: gg.nn.functional.conv2d(x, w), [x, w]


def a_factorization():
    x = gg.randn(400, 400, dtype="float64")
    x = (x @ x.T + 400 * gg.eye(400, dtype="float64")).requires_grad_()
    return lambda: gg.linalg.inv(x), [x]


def a_contraction():
    x = gg.randn(400, 400, dtype="float64", requires_grad=True)
    return lambda: gg.einsum("ij,jk,kl->il", x, x, x), [x]


@pytest.mark.parametrize("make", [one_block_of_convolution, a_factorization, a_contraction])
def test_bits_do_not_depend_on_what_other_threads_do(two_threads, make):
    """While one thread multiplies, BLAS is held to one thread; the last bits of a product depend on that number."""
    compute, leaves = make()
    expected, results = bits_of(compute, leaves), []
    ready, over = threading.Event(), threading.Event()

    def hold():
        with threads.one_blas_thread:
            ready.set()
            over.wait(0.2)  # what takes its turn waits for this; what takes none computes now, on one BLAS thread

    holder = threading.Thread(target=hold)
    other = threading.Thread(target=lambda: results.append(bits_of(compute, leaves)))
    holder.start()
    ready.wait()
    other.start()
    other.join()
    over.set()
    holder.join()
    assert results == [expected]


def test_four_models_in_four_threads_give_the_bits_of_four_in_turn(two_threads):
    def train(seed):
        rng = np.random.default_rng(seed)
        w1, w2 = (
            gg.tensor(rng.standard_normal(s, np.float32), requires_grad=True) for s in ((8, 1, 3, 3), (10, 8 * 36))
        )
        x = gg.tensor(rng.standard_normal((32, 1, 14, 14), np.float32))
        for _ in range(5):
            y = gg.nn.functional.max_pool2d(gg.nn.functional.conv2d(x, w1), 2).reshape(32, -1) @ w2.T
            (y * y).mean().backward()
            with gg.no_grad():
                for w in (w1, w2):
                    w -= 0.001 * w.grad
                    w.grad = None
        return [w.detach().numpy().tobytes() for w in (w1, w2)]

    expected, results = [train(seed) for seed in range(4)], [None] * 4

    def run(seed):
        results[seed] = train(seed)

    workers = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == expected
