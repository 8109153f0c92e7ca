"""Tests of export.saved_model."""

import json
import os
import re
import shutil

import numpy as np
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


def test_a_version_is_known_by_its_weights_and_its_calibration():
    infos = [
        {"weights_sha256": weights, "calibration": {"temperature": temperature}}
        for weights, temperature in (("a", 1.0), ("b", 1.0), ("a", 2.0))
    ]
    found = [saved_model.version_of("export/3", info) for info in infos]
    assert len(set(found)) == 3 and all(re.fullmatch("3-[0-9a-f]{12}", one) for one in found)
    assert saved_model.version_of("other/3/", dict(infos[0])) == found[0]


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


def write_info(version, **content):
    (version / "assets.extra").mkdir(parents=True, exist_ok=True)
    (version / "saved_model.pb").write_bytes(b"")
    info = {"format": "spine_tf export/1", "gradings": [{}]} | content
    (version / "assets.extra" / "model.json").write_text(json.dumps(info))
    return str(version)


@pytest.mark.parametrize(
    "content, message",
    [
        ({"format": "spine_tf export/2"}, "`format` must be at most 1, got 2"),
        ({"record_schema": 9}, "`record_schema` must be at most 1, got 9"),
    ],
)
def test_a_model_of_a_newer_library_is_refused(tmp_path, content, message):
    path = write_info(tmp_path / "1", **content)
    with pytest.raises(ValueError, match=f"{message}: a newer version of spine_tf.*Update"):
        saved_model.load(path)


def test_a_version_that_is_half_copied_is_refused(tmp_path):
    sizes = {"saved_model.pb": 0, "variables/variables.index": 3}
    path = write_info(tmp_path / "1", files=sizes)
    with pytest.raises(ValueError, match="variables.index: must have 3 bytes, got no file.*half"):
        saved_model.load(path)
    (tmp_path / "1" / "variables").mkdir()
    (tmp_path / "1" / "variables" / "variables.index").write_bytes(b"cu")
    with pytest.raises(ValueError, match="must have 3 bytes, got 2"):
        saved_model.load(path)


def test_a_version_that_is_being_written_is_invisible(model, tmp_path):
    """As a server's poller sees the folder: names that are numbers."""
    export_dir = str(tmp_path / "export")
    shutil.copytree(os.path.join(model, "1"), os.path.join(export_dir, ".tmp-123"))
    assert saved_model.versions(export_dir) == []
    with pytest.raises(FileNotFoundError, match="no numbered version"):
        saved_model.find_version(export_dir)


def test_a_signature_that_is_missing_is_named(model):
    loaded = saved_model.load(model)
    with pytest.raises(ValueError, match="must have the signature 'other', got embed, examples"):
        loaded.run("other", crops=np.zeros([1, 9, 56, 112], np.float32))


def test_the_model_of_the_package_is_whole_small_and_says_what_it_is():
    folder = saved_model.find_version(saved_model.BUILTIN)
    info = saved_model.read_info(folder)
    saved_model.check_whole(folder, info)
    assert [grading["name"] for grading in info["gradings"]] == ["pfirrmann"]
    assert sum(saved_model.file_sizes(folder).values()) < 8e6
    with open(os.path.join(folder, saved_model.EXTRA, "model_card.json"), encoding="utf-8") as file:
        card = json.load(file)
    assert "Not a medical device" in card["intended_use"]
    assert "CC BY 4.0, derived from SPIDER" in card["licence"]
    # Nothing of a patient travels with it: no crop is in a request, and no key in the facts.
    assert "tf_serving_warmup_requests" not in "".join(saved_model.file_names(folder))
