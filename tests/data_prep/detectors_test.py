import shutil

import numpy as np
import pytest

from data_prep import detectors, rejection
from spine_tf import config
from spine_tf.detection import finder
from spine_tf.tasks.downstream import detection
from tests import tiny_export
from tests.data_prep import stub_finder


@pytest.fixture(autouse=True)
def _forget():
    detectors.load.cache_clear()
    yield
    detectors.load.cache_clear()


def test_the_builtin_detector_is_in_the_package():
    assert detectors.weights(detectors.BUILTIN) == finder.WEIGHTS
    assert detectors.source(detectors.BUILTIN).startswith("spine_tf detector builtin, weights ")


def test_a_packed_file_names_its_weights(tmp_path):
    path = str(tmp_path / "mine.npz")
    shutil.copy(finder.WEIGHTS, path)
    found = detectors.load(path)
    assert found.source.startswith("spine_tf detector mine.npz, weights ")
    assert detectors.load(path) is found


def test_a_model_folder_is_a_detector(tmp_path):
    tiny = config.ModelConfig(width=1 / 16, network=config.UNET)
    folder = tiny_export.make_model_folder(tmp_path / "m", detection.Detection(), model=tiny)
    found = detectors.load(folder.path)
    output = found.predict(np.zeros((1, 32, 32), np.float32))
    assert output.shape[:3] == (1, 32, 32)


def test_another_model_is_refused(tmp_path):
    folder = tiny_export.make_model_folder(tmp_path / "m")
    with pytest.raises(ValueError, match="must be a model of the task detection, got grading"):
        detectors.load(folder.path)


@pytest.mark.parametrize("name", ["absent.npz", "."])
def test_a_detector_that_is_not_there(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="--detector must be builtin"):
        detectors.load(str(tmp_path / name))


def test_unknown_levels_are_rejected_with_the_reason():
    found = stub_finder.answered("1.2")
    assert detectors.check_named(found, "a/b", "1.2") is found.annotation
    with pytest.raises(rejection.RejectedInput, match=r"a/b \(1.2\): .* are unknown: a tie"):
        detectors.check_named(stub_finder.unknown("1.2"), "a/b", "1.2")
