"""A plugin of pytest (`-p tests.real_cupy.plugin`): tests use the shadowed CuPy; a difference fails the test that it is
found in."""

import ctypes

import pytest
from cupy_backends.cuda.api import runtime

from .findings import FOUND
from .install import install

install()


def pytest_collection_modifyitems(config, items):
    """Leave out what has no CuPy in it, and all ways to run kernels but the first."""
    params = [getattr(item, "callspec", None) and item.callspec.params or {} for item in items]
    chosen = [p.get("device") != "cpu" and p.get("way", "forward") == "forward" for p in params]
    config.hook.pytest_deselected(items=[item for item, keep in zip(items, chosen, strict=True) if not keep])
    items[:] = [item for item, keep in zip(items, chosen, strict=True) if keep]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    FOUND.during, before = item.nodeid, len(FOUND.failures())
    result = yield
    if new := FOUND.failures()[before:]:
        pytest.fail("\n".join(map(str, new)), pytrace=False)
    return result


def pytest_runtest_teardown():
    ctypes.CDLL(runtime.__file__).fake_end_capture()


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("CuPy and NumPy")
    terminalreporter.write_line(FOUND.report())
