"""Search for hyper-parameters: trials in parallel processes, a log that a broken search goes on from."""

from __future__ import annotations

import itertools
import json
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import OptionError

Values = dict[str, float]


class Trial(NamedTuple):
    """The values that were tried, and the score they reached.

    >>> gg.train.Trial({"lr": 0.1}, 0.9).score
    0.9
    """

    values: Values
    score: float


def grid_trials(ranges: Mapping[str, tuple[float, float]], each: int) -> list[Values]:
    """Return all combinations of `each` values per name, spread evenly on a logarithmic scale from lowest to highest.

    >>> gg.train.grid_trials({"lr": (0.01, 1.0)}, 3)
    [{'lr': 0.01}, {'lr': 0.1}, {'lr': 1.0}]
    """
    axes = [[float(f"{value:.6g}") for value in np.geomspace(*ends, each)] for ends in ranges.values()]
    return [dict(zip(ranges, combination, strict=True)) for combination in itertools.product(*axes)]


def random_trials(ranges: Mapping[str, tuple[float, float]], count: int, seed: int = 0) -> list[Values]:
    """Return `count` combinations drawn at random, evenly on a logarithmic scale (Bergstra and Bengio 2012).

    Of the same number of trials, a grid sees few values of the parameter that matters, a random search as many as
    there are trials.

    >>> len({trial["lr"] for trial in gg.train.random_trials({"lr": (0.01, 1.0), "l2": (0.01, 1.0)}, 9)})
    9
    """
    random = np.random.default_rng(seed)
    drawn = {
        name: [float(f"{value:.6g}") for value in np.exp(random.uniform(math.log(low), math.log(high), count))]
        for name, (low, high) in ranges.items()
    }
    return [{name: values[i] for name, values in drawn.items()} for i in range(count)]


def search(
    objective: Callable[[Values], float],
    trials: Sequence[Values],
    log: str | os.PathLike | None = None,
    workers: int = 1,
) -> list[Trial]:
    """Return the trials with their scores, in their order; the objective is called with each one's values.

    log: a file with a line of JSON for each trial that is done, which a search reads first: what stands there is not
    tried again. workers: processes that try at the same time; the objective must then be a function of a module. Raises
    OptionError for fewer than one worker.

    >>> trials = gg.train.search(lambda values: -((values["x"] - 2) ** 2), [{"x": 1.0}, {"x": 2.0}])
    >>> max(trials, key=lambda trial: trial.score).values
    {'x': 2.0}
    """
    if workers < 1:
        raise OptionError(f"search: workers must be at least 1, got {workers}")
    done = dict(_logged(Path(log))) if log is not None else {}
    open_trials = [values for values in trials if _key(values) not in done]
    for values, score in _scores(objective, open_trials, workers):
        done[_key(values)] = score
        if log is not None:
            with open(log, "a", encoding="utf-8") as file:
                file.write(json.dumps({"values": values, "score": score}) + "\n")
    return [Trial(values, done[_key(values)]) for values in trials]


def _key(values: Values) -> str:
    return json.dumps(values, sort_keys=True)


def _logged(log: Path) -> Iterator[tuple[str, float]]:
    """Give what a log holds; a line that was broken off in the writing is passed over."""
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        try:
            row = json.loads(line)
            yield _key(row["values"]), float(row["score"])
        except (ValueError, KeyError, TypeError):
            continue


def _scores(objective: Callable[[Values], float], trials: list[Values], workers: int) -> Iterator[tuple[Values, Any]]:
    if workers == 1:
        for values in trials:
            yield values, float(objective(values))
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(objective, values): values for values in trials}
        try:
            for future in as_completed(futures):
                yield futures[future], float(future.result())
        finally:
            pool.shutdown(cancel_futures=True)
