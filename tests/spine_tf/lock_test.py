import errno
import os

import pytest

from spine_tf import lock


def test_one_at_a_time(tmp_path):
    for path, is_folder in ((tmp_path, True), (tmp_path / "new", False)):
        with lock.held(str(path), is_folder) as is_locked:
            assert is_locked
            with pytest.raises(BlockingIOError), lock.held(str(path), is_folder):
                pytest.fail("held twice")
        with lock.held(str(path), is_folder) as is_locked:
            assert is_locked
    assert os.listdir(tmp_path) == ["new"]


def test_a_folder_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError), lock.held(str(tmp_path / "gone"), is_folder=True):
        pytest.fail("held nothing")
    assert os.listdir(tmp_path) == []


def test_where_there_are_no_locks(tmp_path, monkeypatch):
    def none(descriptor, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", none)
    with lock.held(str(tmp_path), is_folder=True) as is_locked:
        assert not is_locked
    monkeypatch.setattr(lock, "fcntl", None)
    with lock.held(str(tmp_path), is_folder=True) as is_locked:
        assert not is_locked
