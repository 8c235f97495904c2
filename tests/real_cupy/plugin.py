"""A plugin of pytest (`-p tests.real_cupy.plugin`): tests use the shadowed CuPy; a difference fails the test that it is
found in."""

import pytest

from .findings import FOUND
from .install import install

install()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    FOUND.during, before = item.nodeid, len(FOUND.failures())
    result = yield
    if new := FOUND.failures()[before:]:
        pytest.fail("\n".join(map(str, new)), pytrace=False)
    return result


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("CuPy and NumPy")
    terminalreporter.write_line(FOUND.report())
