"""The baseline on made-up images and volumes, and the committed result."""

import json
import pathlib

import numpy as np

from benchmarks import organ_baseline
from data_prep import make_organs_lib
from spine_tf import cli, organ_phantom
from spine_tf.organ_phantom import abdomen

_RESULT = pathlib.Path(__file__).parents[2] / "docs" / "results" / organ_baseline.NAME


def _image(seed, number, label):
    return np.random.default_rng([seed, number, len(label)]).integers(0, 255, (56, 72), np.uint8)


def _case(seed, number):
    """A block of tissue with lungs and five small organs."""
    hu = np.full((12, 40, 40), -1000, np.int16)
    hu[:, 6:34, 3:37], hu[8:, 12:28, 8:32] = 40, -800
    labels = np.zeros(hu.shape, np.uint8)
    for label, start in enumerate(np.random.default_rng([seed, number]).integers(10, 25, 5), 1):
        labels[label, start : start + 4, start : start + 5] = label
    return abdomen.Scan(hu, labels, (9.0, 9.0, 9.0), (0, 0, 0), (), False)


def test_measures_and_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(make_organs_lib.planes, "make_image", _image)
    monkeypatch.setattr(make_organs_lib.abdomen, "make_case", _case)
    for kind in ("planes", "abdomen"):
        make_organs_lib.write(make_organs_lib.Cohort(kind, 5), str(tmp_path / kind))
    arguments = [f"--{kind}_dir={tmp_path / kind}" for kind in ("planes", "abdomen")]
    arguments.append(f"--output_dir={tmp_path}")
    assert cli.call(organ_baseline.define_flags, organ_baseline.main, arguments) == 0
    found = json.loads((tmp_path / organ_baseline.NAME).read_text())
    assert found["planes"]["num_images"] == 70
    assert found["abdomen"]["cohort"]["num_subjects"] == 5
    assert "must be below 0.6" in capsys.readouterr().out


def test_the_committed_result_is_of_this_phantom_and_within_the_limits():
    found = json.loads(_RESULT.read_text(encoding="utf-8"))
    assert found["phantom"] == organ_baseline.phantom(), (
        "the phantoms are frozen: undo the change, or give them another VERSION and measure again"
    )
    for kind in ("planes", "abdomen"):
        assert found[kind]["cohort"]["phantom_version"] == organ_phantom.VERSION
    assert max(found["planes"]["f1"].values()) < organ_baseline.MOST_F1
    assert min(found["abdomen"]["centroid_mm"].values()) > organ_baseline.LEAST_MM
