"""The table of names against PyTorch's is what the code of today gives."""

from api_table import TABLE, missing_arguments, table


def test_the_table_is_current():
    assert TABLE.read_text() == table(), "run: python -m tests.api_table"


def test_a_missing_argument_and_another_default_are_seen():
    def theirs(x, dim=0, keepdim=False):
        pass

    def ours(x, dim=1):
        pass

    assert missing_arguments(theirs, ours) == ["dim", "keepdim"]
    assert missing_arguments(theirs, theirs) == []
