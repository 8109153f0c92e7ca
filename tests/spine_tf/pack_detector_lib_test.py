"""Tests of spine_tf.pack_detector_lib and of the command."""

import json
import os

import numpy as np
import pytest

from spine_tf import cli, config, files, pack_detector, pack_detector_lib
from spine_tf.detection import finder, network
from spine_tf.tasks.downstream import detection
from tests import tiny_export

TINY = config.ModelConfig(width=1 / 16, network=config.UNET)


def _read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def test_a_model_folder_becomes_a_file_with_a_card(tmp_path, capsys):
    folder = tiny_export.make_model_folder(tmp_path / "m", detection.Detection(), model=TINY)
    with open(os.path.join(folder.path, "metrics.csv"), "w", encoding="utf-8") as file:
        file.write("epoch,loss,val_loss,seconds\n0,3,2.5,9\n1,2,1.5,9\n2,1,1.75,9\n")
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"shift_rate": 0.0, "per_patient": [{"image": "a"}]}))
    path = str(tmp_path / "weights" / "mine.npz")
    arguments = [f"--model_dir={folder.path}", f"--output_file={path}", f"--results={results}"]
    arguments += ["--status=final", "--command=spine-tf train", "--note=a", "--note=b"]
    assert cli.call(pack_detector.define_flags, pack_detector.main, arguments) == 0
    assert "final" in capsys.readouterr().out
    assert sorted(os.listdir(tmp_path / "weights")) == ["mine.json", "mine.npz"]
    card = _read(pack_detector_lib.card_path(path))
    assert card["sha256"] == files.sha256(path) and card["notes"] == ["a", "b"]
    assert card["results"] == {"shift_rate": 0.0}
    assert card["training"]["commands"] == ["spine-tf train"]
    assert card["training"]["validation"] == {"epoch": 1, "loss": 2, "val_loss": 1.5}
    image = {"image": np.random.default_rng(0).uniform(size=(1, 32, 32, 1)).astype(np.float32)}
    expected = folder.load_model()(image, training=False)["corners"]
    found = network.load(path).model(image, training=False)["corners"]
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_another_task_and_another_ending_are_refused(tmp_path):
    folder = tiny_export.make_model_folder(tmp_path / "m")
    said = pack_detector_lib.Said()
    with pytest.raises(ValueError, match="must be a model of the task detection"):
        pack_detector_lib.pack(folder.path, str(tmp_path / "a.npz"), said)
    with pytest.raises(ValueError, match="must end in .npz"):
        pack_detector_lib.pack(folder.path, str(tmp_path / "a.h5"), said)


def test_the_card_of_the_package_fits_its_weights():
    card = _read(pack_detector_lib.card_path(finder.WEIGHTS))
    assert card["format"] == pack_detector_lib.FORMAT
    assert card["sha256"] == files.sha256(finder.WEIGHTS)
    assert os.path.getsize(finder.WEIGHTS) == card["bytes"] < 8e6
    assert card["training"]["commands"] and "Research only" in card["use"]
    [spider] = [item for item in card["data"] if item["name"] == "SPIDER"]
    assert "CC BY 4.0" in spider["licence"] and "van der Graaf" in spider["source"]
