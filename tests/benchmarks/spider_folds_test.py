import pytest

from benchmarks import spider_folds
from data_prep import deidentify


def test_a_missing_key_is_refused_and_none_is_made(tmp_path, monkeypatch):
    monkeypatch.delenv(deidentify.KEY_VARIABLE, raising=False)
    path = tmp_path / "slices.key"
    with pytest.raises(FileNotFoundError, match="slices.key: the key of the pseudonyms in"):
        spider_folds.key(str(tmp_path / "slices"))
    assert not path.exists()
    path.write_text("ab" * 32)
    assert spider_folds.key(str(tmp_path / "slices")) == b"\xab" * 32
    monkeypatch.setenv(deidentify.KEY_VARIABLE, "cd" * 32)
    assert spider_folds.key(str(tmp_path / "slices")) == b"\xcd" * 32
