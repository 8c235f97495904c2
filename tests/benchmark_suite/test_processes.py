"""A library is timed in a process of its own, with nothing of the other in it."""

import pytest
from benchmark_suite.fixed_limits import EFFORT

from benchmarks.cases.processes import Elsewhere, Pass
from benchmarks.measuring import clock
from benchmarks.measuring.subprocesses import python


def test_a_library_is_timed_in_a_process_of_its_own():
    with Elsewhere("gpugrad", "mlp-sgd", "cpu", 1) as elsewhere:
        times = clock.time_cases([Pass(elsewhere, "step"), Pass(elsewhere, "forward")], EFFORT)
        assert all(seconds > 0 for kind in times for seconds in kind)
        elsewhere.process.kill()
        with pytest.raises(RuntimeError, match="gpugrad's process of mlp-sgd ended with status -9"):
            elsewhere.seconds("step", 1)


@pytest.mark.parametrize("library", ["gpugrad", "torch"])
def test_the_process_of_a_library_has_no_other(library):
    pytest.importorskip(library)
    other = {"gpugrad": "torch", "torch": "gpugrad"}[library]
    code = f"from benchmarks.cases.processes import prepare; prepare('{library}', 'lenet', 'cpu', '1')"
    seen = python("-c", f"import sys; {code}; print('{library}' in sys.modules, '{other}' in sys.modules)")
    assert seen.split() == ["True", "False"]
