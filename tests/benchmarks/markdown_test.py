import pytest

from benchmarks import markdown


def test_a_table_by_hand():
    found = markdown.table(("a", "b"), [("x", 1), ["y", None]])
    assert found == ["| a | b |", "| --- | --- |", "| x | 1 |", "| y | None |"]
    with pytest.raises(ValueError, match="`rows` must have 2 cells each, got"):
        markdown.table(("a", "b"), [("x",)])


def test_what_was_not_run():
    assert markdown.not_run([]) == []
    found = markdown.not_run([{"name": "RD", "reason": "no time"}])
    assert found == ["", "Not run:", "", "- RD: no time"]
