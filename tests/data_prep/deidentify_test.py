"""Tests of data_prep.deidentify."""

import hashlib
import hmac
import stat

import pytest

from data_prep import deidentify


def test_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "local" / "key"
    key = deidentify.load_or_make_key(str(path))
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert deidentify.load_or_make_key(str(path)) == key


def test_two_keys_differ(tmp_path):
    keys = {deidentify.load_or_make_key(str(tmp_path / name)) for name in "ab"}
    assert len(keys) == 2


def test_other_files_are_no_key(tmp_path):
    path = tmp_path / "key"
    path.write_text("secret")
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        deidentify.load_or_make_key(str(path))


def test_pseudonym_is_the_hmac():
    key = b"k" * 32
    expected = hmac.new(key, b"subject\x00someone", hashlib.sha256).hexdigest()[:24]
    assert deidentify.pseudonym(key, "subject", "someone") == expected
    assert deidentify.pseudonym(key, "family", "someone") != expected


def test_kind_must_be_known():
    with pytest.raises(ValueError, match="`kind` must be one of"):
        deidentify.pseudonym(b"", "patient", "someone")
