"""Dataclasses from JSON."""

import dataclasses

import pytest

from spine_tf import json_fields


@dataclasses.dataclass(frozen=True)
class Thing:
    flag: bool = False
    count: int = 1
    rate: float = 0.5
    name: str = ""
    parts: tuple[str, ...] = ()


def test_what_is_left_out_keeps_its_default():
    assert json_fields.make(Thing, {}, "thing") == Thing()
    made = json_fields.make(Thing, {"flag": True, "rate": 1, "parts": ["a"]}, "thing")
    assert (made.flag, made.rate, made.parts) == (True, 1, ["a"])


@pytest.mark.parametrize(
    "values, message",
    [
        ([], r"`thing` must be a JSON object with keys among \['flag', .*, got \[\]."),
        ({"size": 1}, r"`thing` must be a JSON object with keys among .*, got \{'size': 1\}."),
        ({"flag": 1}, "`flag` must be true or false, got 1."),
        ({"count": True}, "`count` must be a whole number, got True."),
        ({"rate": float("nan")}, "`rate` must be a finite number, got nan."),
        ({"name": 1}, "`name` must be a text, got 1."),
        ({"parts": "a"}, "`parts` must be a list, got 'a'."),
    ],
)
def test_what_cannot_be(values, message):
    with pytest.raises(ValueError, match=message):
        json_fields.make(Thing, values, "thing")


def test_differences_are_named_with_both_values():
    there = {"a": {"b": 1, "c": 2.0}, "d": [1], "e": "x"}
    now = {"a": {"b": 1, "c": 3.0}, "d": [2], "f": None}
    assert json_fields.differences(there, there) == []
    assert json_fields.differences(there, now) == [
        "a.c (2.0 there, 3.0 now)",
        "d ([1] there, [2] now)",
        "e ('x' there, None now)",
    ]
