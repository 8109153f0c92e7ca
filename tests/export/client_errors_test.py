import pytest

from export import client_errors


def test_waits_double_up_to_a_limit():
    waits = []

    def fail():
        raise client_errors.LateError("late.")

    with pytest.raises(client_errors.UnreachableError, match="here: no answer in 9 attempts"):
        client_errors.with_retries(fail, "here", 9, 0.5, waits.append)
    assert len(waits) == 8
    for wait, longest in zip(waits, (0.5, 1, 2, 4, 8, 10, 10, 10), strict=True):
        assert longest / 2 <= wait <= longest


def test_other_errors_are_raised_at_once():
    calls = []

    def refuse():
        calls.append(1)
        raise client_errors.RefusedError("wrong")

    with pytest.raises(client_errors.RefusedError):
        client_errors.with_retries(refuse, "here", 9, 0.5)
    assert len(calls) == 1
