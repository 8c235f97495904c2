"""Work over several threads: how it is cut, what errors do, and that BLAS gets its threads back."""

import threading

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.backend.cpu import gemm, threads


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


def test_results_are_in_order_and_errors_are_raised(two_threads):
    assert threads.parallel(lambda part: part.start, threads.chunks(10, 1))[0] == 0

    def fail(part):
        raise ZeroDivisionError(part.start)

    with pytest.raises(ZeroDivisionError):
        threads.parallel(fail, threads.chunks(10, 1))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tasks_beside_the_caller(two_threads, count):
    gg.set_num_threads(count)
    ran = []
    with threads.Beside() as beside:
        numbers = [beside.add(lambda part: ran.append(part) or part * part, i) for i in range(20)]
        beside.wait(numbers[7])
        assert beside.results[7] == 49
        with threads.Beside() as inner:
            inner.add(sum, [1, 2])
    assert beside.results == [i * i for i in range(20)] and inner.results == [3]
    assert sorted(ran) == list(range(20))


@pytest.mark.parametrize("helped", [False, True])
def test_an_error_beside_the_caller_is_raised_after_all_have_stopped(two_threads, helped):
    running = []

    def task(part):
        running.append(part)
        if part == 3:
            raise ZeroDivisionError(part)
        running.remove(part)

    with pytest.raises(ZeroDivisionError), threads.Beside(helped) as beside:
        for i in range(10):
            beside.add(task, i)
    assert running == [3]
    with pytest.raises(KeyError), threads.Beside(helped) as beside:
        beside.add(task, 5)
        raise KeyError("the caller's own error")
    assert running == [3]
    assert threads.parallel(lambda part: part, threads.chunks(10, 1)) == threads.chunks(10, 1)


def test_blas_has_its_threads_back_after_products_from_many_threads(two_threads):
    x = gg.tensor(np.random.default_rng(0).standard_normal((300, 300)).astype(np.float32))
    before = [library.num_threads for library in threads._blas()]
    expected, results = (x @ x).numpy(), []

    def work():
        results.extend((x @ x).numpy() for _ in range(50))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 200 and all(np.array_equal(r, expected) for r in results)
    assert [library.num_threads for library in threads._blas()] == before


@pytest.mark.parametrize("shapes", [
    ((4, 100, 200), (200, 130)), ((4, 100, 200), (4, 200, 130)), ((1, 100, 200), (4, 200, 130)),
    ((4, 1, 100, 200), (3, 200, 130)), ((100, 200), (5, 200, 130)), ((1, 300, 200), (1, 200, 130)),
    ((1, 3, 100, 200), (3, 200, 130)), ((2, 7, 64, 256), (256, 96)), ((64, 1024), (1024, 256)), ((33, 256), (256, 500)),
])  # fmt: skip
def test_products_of_every_rank_are_cut_over_threads_and_leave_blas_alone(two_threads, shapes, monkeypatch):
    counts = []
    multiply = gemm.multiply
    monkeypatch.setattr(
        gemm, "multiply", lambda *args: (counts.append(threads._blas()[0].num_threads), multiply(*args))
    )
    x, w = (np.random.default_rng(0).standard_normal(shape) for shape in shapes)
    for a in (x, np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)):
        counts.clear()
        np.testing.assert_allclose((gg.tensor(a) @ gg.tensor(w)).numpy(), a @ w, 1e-10, 1e-10)
        assert counts and set(counts) == {1}
