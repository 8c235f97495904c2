"""The graph's switches: in blocks, on functions of every kind, in threads that share one switch."""

import asyncio
import threading

import pytest

import gpugrad as gg

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name, inside", [("no_grad", False), ("enable_grad", True), ("inference_mode", False)])
@pytest.mark.parametrize("brackets", [True, False])
def test_switches_decorate_functions_and_methods_with_and_without_brackets(name, inside, brackets):
    for switch, enabled in zip(
        (getattr(gg, name), getattr(torch, name)), (gg.is_grad_enabled, torch.is_grad_enabled), strict=True
    ):
        decorate = switch() if brackets else switch

        class Holder:
            @decorate
            def method(self, extra, enabled=enabled):
                """Text."""
                return enabled(), extra

        with (gg if switch.__module__.startswith("gpugrad") else torch).set_grad_enabled(not inside):
            assert Holder().method(3) == (inside, 3)
            assert enabled() is not inside
        assert Holder.method.__doc__ == "Text." and Holder.method.__name__ == "method"


def generator_of(enabled):
    def steps():
        seen = [enabled()]
        while True:
            try:
                got = yield seen[-1]
            except KeyError:
                got = "thrown"
            seen.append(enabled())
            if got == "end":
                return seen

    return steps


def test_a_decorated_generator_has_its_mode_in_each_step_and_not_between():
    logs = []
    for package in (gg, torch):
        enabled = package.is_grad_enabled
        steps = package.no_grad()(generator_of(enabled))()
        log = [next(steps), enabled(), steps.send("x"), enabled(), steps.throw(KeyError("k")), enabled()]
        with pytest.raises(StopIteration) as end:
            steps.send("end")
        logs.append([*log, end.value.value, enabled()])
    assert logs[0] == logs[1]
    assert logs[0] == [False, True, False, True, False, True, [False] * 4, True]


def test_closing_a_decorated_generator_runs_its_end_in_its_mode():
    seen = []

    @gg.no_grad
    def steps():
        try:
            yield 1
        finally:
            seen.append(gg.is_grad_enabled())

    running = steps()
    next(running)
    running.close()
    assert seen == [False] and gg.is_grad_enabled()


def test_the_results_of_a_decorated_generator_are_not_recorded():
    x = gg.ones(2, requires_grad=True)

    @gg.no_grad()
    def batches():
        for i in range(3):
            yield x * i

    for made in batches():
        assert not made.requires_grad and (x * 2).requires_grad


def test_decorated_coroutines_have_their_mode_while_they_run_and_others_keep_theirs():
    @gg.no_grad
    async def one(log):
        for _ in range(3):
            log.append(gg.is_grad_enabled())
            await asyncio.sleep(0)
        return "done"

    async def other(log):
        for _ in range(3):
            log.append(gg.is_grad_enabled())
            await asyncio.sleep(0)

    async def main():
        first, second = [], []
        result, _ = await asyncio.gather(one(first), other(second))
        return result, first, second

    assert asyncio.run(main()) == ("done", [False] * 3, [True] * 3)


def test_decorated_asynchronous_generators():
    ended = []

    @gg.no_grad
    async def steps(count):
        try:
            for i in range(count):
                await asyncio.sleep(0)
                got = yield i, gg.is_grad_enabled()
                assert got in (None, "sent")
        finally:
            ended.append(gg.is_grad_enabled())

    async def main():
        found = [(item, gg.is_grad_enabled()) async for item in steps(3)]
        open_steps = steps(3)
        await open_steps.asend(None)
        found.append((await open_steps.asend("sent"), gg.is_grad_enabled()))
        await open_steps.aclose()
        with pytest.raises(KeyError):
            broken = steps(3)
            await broken.asend(None)
            await broken.athrow(KeyError("k"))
        return found

    assert asyncio.run(main()) == [(((i, False)), True) for i in (0, 1, 2, 1)]
    assert ended == [False] * 3 and gg.is_grad_enabled()


def test_set_grad_enabled_as_a_decorator_takes_effect_inside_of_the_function_only():
    for package in (gg, torch):
        enabled = package.is_grad_enabled
        decorated = package.set_grad_enabled(False)(lambda enabled=enabled: enabled())
        assert enabled()
        assert decorated() is False
        assert enabled()
        with package.no_grad():
            assert package.set_grad_enabled(True)(lambda enabled=enabled: enabled())() is True
            assert not enabled()


def test_autocast_decorates_generators():
    @gg.autocast("cpu", dtype=gg.bfloat16)
    def products():
        yield gg.ones(2, 2) @ gg.ones(2, 2)
        yield gg.ones(2, 2) @ gg.ones(2, 2)

    for product in products():
        assert product.dtype.name == "bfloat16"
        assert (gg.ones(2, 2) @ gg.ones(2, 2)).dtype.name == "float32"


def test_nothing_is_recorded_in_inference_mode_whatever_is_switched_on_inside():
    for package in (gg, torch):
        x = package.ones(2, requires_grad=True)
        with package.inference_mode(), package.enable_grad():
            assert not (x * 2).requires_grad
        with package.inference_mode(), package.set_grad_enabled(True):
            assert not (x * 2).requires_grad
        with package.inference_mode(), package.inference_mode(False):
            assert (x * 2).requires_grad
        with package.no_grad(), package.inference_mode(False):
            assert (x * 2).requires_grad
        assert (x * 2).requires_grad


def test_an_exception_leaves_every_mode_as_it_was():
    for switch in (gg.no_grad(), gg.inference_mode(), gg.detect_anomaly(), gg.autocast("cpu")):
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), switch:
                with switch:
                    1 / 0  # noqa: B018
        assert gg.is_grad_enabled() and not gg.is_inference_mode_enabled()
        assert not gg.amp.is_autocast_enabled("cpu")


def test_threads_that_share_a_switch_each_get_their_own_mode_back():
    """The first thread to enter is the first to leave, and their modes differ outside."""
    switch, entered, left = gg.enable_grad(), threading.Event(), threading.Event()
    seen = {}

    def inner():
        gg.set_grad_enabled(False)
        entered.wait(20)
        with switch:
            seen["inside"] = gg.is_grad_enabled()
            left_first.set()
            left.wait(20)
        seen["thread"] = gg.is_grad_enabled()

    left_first = threading.Event()
    thread = threading.Thread(target=inner)
    thread.start()
    with switch:
        entered.set()
        assert left_first.wait(20)
    seen["main"] = gg.is_grad_enabled()
    left.set()
    thread.join()
    gg.set_grad_enabled(True)
    assert seen == {"inside": True, "thread": False, "main": True}


def test_threads_that_share_an_autocast_region_do_not_meet():
    region, ready, done = gg.autocast("cpu", dtype=gg.bfloat16), threading.Event(), threading.Event()
    seen = []

    def inner():
        with region:
            ready.set()
            done.wait(20)
        seen.append(gg.amp.is_autocast_enabled("cpu"))

    thread = threading.Thread(target=inner)
    thread.start()
    assert ready.wait(20)
    with gg.autocast("cpu", dtype=gg.float16), region:
        done.set()
        thread.join()
        assert gg.amp.get_autocast_dtype("cpu").name == "bfloat16"
    assert seen == [False] and not gg.amp.is_autocast_enabled("cpu")


def in_a_thread(function):
    """What `function` returns in a new thread."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def test_the_default_dtype_is_that_of_all_threads():
    gg.set_default_dtype("float64")
    try:
        assert in_a_thread(lambda: gg.ones(1).dtype) == gg.float64
    finally:
        in_a_thread(lambda: gg.set_default_dtype("float32"))
    assert gg.ones(1).dtype == gg.float32


def test_random_numbers_of_threads_follow_from_the_seed():
    def draws():
        gg.manual_seed(5)
        return [in_a_thread(lambda: gg.rand(2).tolist()) for _ in range(2)] + [gg.rand(2).tolist()]

    first = draws()
    assert first == draws()
    assert len({number for pair in first for number in pair}) == 6  # each thread has numbers of its own
    gg.manual_seed(6)
    assert in_a_thread(lambda: gg.rand(2).tolist()) != first[0]
    assert in_a_thread(lambda: gg.manual_seed(5) and gg.rand(2).tolist()) == first[2]
