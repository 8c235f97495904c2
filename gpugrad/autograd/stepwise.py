"""Functions that run inside a context: also those that pause, which leave it while somebody else runs."""

from collections.abc import Callable, Generator
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import coroutine
from typing import Any


def decorated(function: Callable, context: Any) -> Callable:
    """Return `function`, of whatever kind, such that each stretch of it that runs without a pause is in `context`.

    The context is entered anew for each stretch, so a thread may be in it several times.
    """
    if isasyncgenfunction(function):
        made = _async_generator(function, context)
    elif iscoroutinefunction(function):
        made = _coroutine(function, context)
    elif isgeneratorfunction(function):
        made = _generator(function, context)
    else:
        made = _plain(function, context)
    return wraps(function)(made)


def _plain(function: Callable, context: Any) -> Callable:
    def inside(*args: Any, **kwargs: Any) -> Any:
        with context:
            return function(*args, **kwargs)

    return inside


def _generator(function: Callable, context: Any) -> Callable:
    def inside(*args: Any, **kwargs: Any) -> Any:
        return (yield from _steps(function(*args, **kwargs), context))

    return inside


def _coroutine(function: Callable, context: Any) -> Callable:
    async def inside(*args: Any, **kwargs: Any) -> Any:
        return await _stepped(function(*args, **kwargs), context)

    return inside


def _async_generator(function: Callable, context: Any) -> Callable:
    async def inside(*args: Any, **kwargs: Any) -> Any:
        steps = function(*args, **kwargs)
        resume, given = steps.asend, None
        try:
            while True:
                made = await _stepped(resume(given), context)
                try:
                    resume, given = steps.asend, (yield made)
                except GeneratorExit:
                    raise
                except BaseException as error:
                    resume, given = steps.athrow, error
        except StopAsyncIteration:
            pass
        finally:
            await _stepped(steps.aclose(), context)

    return inside


def _steps(paused: Any, context: Any) -> Generator:
    """Run a generator, or the like, to its end: in `context`, but for its pauses. Returns its result."""
    resume, given = paused.send, None
    while True:
        try:
            with context:
                waiting = resume(given)
        except StopIteration as end:
            return end.value
        try:
            given = yield waiting
            resume = paused.send
        except GeneratorExit:
            with context:
                paused.close()
            raise
        except BaseException as error:
            resume, given = paused.throw, error


_stepped = coroutine(_steps)  # a coroutine is driven like a generator, and so are the steps of an asynchronous one
