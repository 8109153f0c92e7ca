import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from spine_tf.training import tensorboard
from tests.spine_tf.training import small_disk

_WITHOUT_TENSORBOARD = """
import sys
sys.modules["tensorboard"] = None  # its import fails
import numpy as np
from spine_tf.training import projector, tensorboard
path = sys.argv[1]
crop = np.ones([1, 3, 4, 4], np.float32)
tensorboard.write_scalars(path, 0, {"loss": 1.0})
tensorboard.write_input_images(path, 0, crop)
projector.write(path, {"embedding": crop[:, 0, 0]}, {"subject": ["1"], "level": ["L4"]}, crop[0])
"""


def _values(logs):
    """Step and value of every summary in a folder of logs."""
    return [
        (event.step, value)
        for name in sorted(os.listdir(logs))
        for event in tf.compat.v1.train.summary_iterator(os.path.join(logs, name))
        for value in event.summary.value
    ]


def _written_by_tensorflow(logs, write):
    """What TensorFlow's own function for a kind of summary writes."""
    writer = tf.summary.create_file_writer(str(logs))
    with writer.as_default(step=3):
        write()
    writer.close()
    ((_, value),) = _values(logs)
    return value


def test_scalars_are_what_tensorflow_writes(tmp_path):
    expected = _written_by_tensorflow(
        tmp_path / "expected", lambda: tf.summary.scalar("val_level/auc", 0.75)
    )
    tensorboard.write_scalars(str(tmp_path), 3, {"val_level/auc": 0.75})
    assert _values(tensorboard.logs_dir(str(tmp_path))) == [(3, expected)]


def test_an_image_is_what_tensorflow_writes(tmp_path):
    crop = np.random.default_rng(0).uniform(0, 2, [2, 3, 5, 7, 1])
    picture = tensorboard.montage(crop)[None, ..., None]
    expected = _written_by_tensorflow(
        tmp_path / "expected", lambda: tf.summary.image(tensorboard.INPUT_IMAGES, picture)
    )
    tensorboard.write_input_images(str(tmp_path), 3, tf.constant(crop))
    ((step, found),) = _values(tensorboard.logs_dir(str(tmp_path)))
    assert (step, found.tag, found.tensor) == (3, expected.tag, expected.tensor)
    assert found.metadata == expected.metadata


@pytest.mark.slow
def test_the_package_tensorboard_is_not_needed_to_write(tmp_path):
    command = [sys.executable, "-c", _WITHOUT_TENSORBOARD, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert len(_values_of_events(tmp_path)) == 2


def _values_of_events(model_dir):
    logs = tensorboard.logs_dir(str(model_dir))
    (name,) = [name for name in os.listdir(logs) if "tfevents" in name]
    events = tf.compat.v1.train.summary_iterator(os.path.join(logs, name))
    return [value for event in events for value in event.summary.value]


def test_a_montage_has_a_crop_per_row_and_a_slice_per_column():
    crop = np.zeros([3, 2, 1, 2], np.float32)
    crop[0, 0] = [[2.0, 0.5]]
    crop[1, 1] = [[1.0, 7.0]]  # what is above 2 is white
    # The third crop is left out; a slice of zeros stays black between the gray lines.
    expected = [
        [128] * 7,
        [128, 255, 64, 128, 0, 0, 128],
        [128] * 7,
        [128, 0, 0, 128, 128, 255, 128],
        [128] * 7,
    ]
    np.testing.assert_array_equal(tensorboard.montage(crop, max_crops=2), expected)
    np.testing.assert_array_equal(tensorboard.montage(crop[..., None], max_crops=2), expected)


def test_bfloat16_crops_can_be_shown():
    crop = tf.cast(tf.fill([1, 1, 1, 1], 2.0), tf.bfloat16).numpy()
    assert tensorboard.montage(crop)[1, 1] == 255


def test_a_full_disk_is_said(tmp_path):
    tensorboard.write_scalars(str(tmp_path), 0, {"loss": 1.0})
    with small_disk.limit(300), pytest.raises(OSError, match=r"logs: .*File too large.*Make room"):
        tensorboard.write_scalars(str(tmp_path), 1, {f"value{i}": 1.0 for i in range(50)})
