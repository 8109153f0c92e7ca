"""Tests of data_prep.deidentify."""

import hashlib
import hmac
import os
import stat

import pytest

from data_prep import deidentify


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv(deidentify.KEY_VARIABLE, raising=False)


def test_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "local" / "key"
    key = deidentify.load_or_make_key(str(path))
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert deidentify.load_or_make_key(str(path)) == key


def test_two_keys_differ(tmp_path):
    keys = {deidentify.load_or_make_key(str(tmp_path / name)) for name in "ab"}
    assert len(keys) == 2
    assert len({deidentify.key_id(key) for key in keys}) == 2


def test_other_files_are_no_key(tmp_path):
    path = tmp_path / "key"
    path.write_text("secret")
    with pytest.raises(ValueError, match="64 hexadecimal digits, got 6 characters"):
        deidentify.load_or_make_key(str(path))


def test_key_lies_beside_the_data_set(tmp_path):
    data = tmp_path / "data"
    assert deidentify.choose_key_file(None, str(data)) == f"{data}.key"
    assert deidentify.choose_key_file(None, f"{data}{os.sep}") == f"{data}.key"
    assert deidentify.choose_key_file("my.key", str(data)) == "my.key"


@pytest.mark.parametrize("name", ["key", "local/key"])
def test_key_must_lie_outside_the_data_set(tmp_path, name):
    with pytest.raises(ValueError, match="`key_file` must lie outside the data set"):
        deidentify.choose_key_file(str(tmp_path / "data" / name), str(tmp_path / "data"))


def test_key_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(deidentify.KEY_VARIABLE, "ab" * 32)
    path = deidentify.choose_key_file(None, str(tmp_path / "data"))
    assert deidentify.load_or_make_key(path) == b"\xab" * 32
    assert list(tmp_path.iterdir()) == []
    assert deidentify.KEY_VARIABLE in deidentify.keep_message(path)
    # A file that is named comes first.
    assert deidentify.choose_key_file("my.key", str(tmp_path / "data")) == "my.key"


def test_bad_key_of_the_environment_is_not_shown(monkeypatch):
    monkeypatch.setenv(deidentify.KEY_VARIABLE, "secret")
    with pytest.raises(ValueError, match=deidentify.KEY_VARIABLE) as error:
        deidentify.load_or_make_key("")
    assert "secret" not in str(error.value)


def test_pseudonym_is_the_hmac():
    key = b"k" * 32
    expected = hmac.new(key, b"subject\x00someone", hashlib.sha256).hexdigest()[:24]
    assert deidentify.pseudonym(key, "subject", "someone") == expected
    assert deidentify.pseudonym(key, "family", "someone") != expected


def test_kind_must_be_known():
    with pytest.raises(ValueError, match="`kind` must be one of"):
        deidentify.pseudonym(b"", "patient", "someone")


def test_marks_of_a_person():
    marks = deidentify.person_marks("F", "19720405")
    assert marks == deidentify.person_marks(" f ", "1972.04.05")
    assert "" not in marks and "19720405" not in "".join(marks)
    other = deidentify.person_marks("M", "19720406")
    assert marks[0] != other[0] and marks[1] != other[1]
    for sex, birth_date in (("O", "19000101"), ("", ""), ("OTHER", "00000000")):
        assert deidentify.person_marks(sex, birth_date) == ("", "")
