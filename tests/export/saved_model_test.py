"""Tests of export.saved_model."""

import pytest

from export import saved_model


def make_version(folder):
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    return str(folder)


def test_the_newest_version_is_found(tmp_path):
    make_version(tmp_path / "9")
    newest = make_version(tmp_path / "10")  # as a number, not as text
    make_version(tmp_path / ".tmp-11")
    (tmp_path / "12").mkdir()  # holds no model
    assert saved_model.find_version(str(tmp_path)) == newest
    assert saved_model.find_version(newest) == newest


@pytest.mark.parametrize("name", ["", "missing"])
def test_a_folder_without_a_model_is_refused(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="is not an exported model.*--export_dir"):
        saved_model.load(str(tmp_path / name))


def test_a_saved_model_of_another_program_is_refused(tmp_path):
    path = make_version(tmp_path / "1")
    with pytest.raises(ValueError, match="model.json: is missing. Export the model again"):
        saved_model.load(path)
    (tmp_path / "1" / "assets.extra").mkdir()
    (tmp_path / "1" / "assets.extra" / "model.json").write_text('{"format": "other"}')
    with pytest.raises(ValueError, match="`format` must be 'spine_tf export/1', got 'other'"):
        saved_model.load(path)
