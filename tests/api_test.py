"""The public names of the package, and what they take. A change here is a change for users."""

import inspect
import subprocess
import sys

import pytest

import spine_tf

_MODULES = (
    "config data evaluation geometry gradings levels losses metrics models serving tasks training"
    " vertebrae"
).split()
_CALLED = {
    "Annotation": "vertebrae disc_corners_mm series_instance_uid source status reason",
    "ModelConfig": "crop_scale width fc6 fc7 norm conv4_padding network",
    "Request": "task model_config train_config data protocol model_dir init_from freeze_encoder"
    " feature_cache",
    "TrainConfig": "epochs batch_size learning_rate optimizer weight_decay schedule patience"
    " min_delta max_drops augment augment_strength augment_on strategy precision xla"
    " accumulate_steps clip_norm steps_per_epoch checkpoint_steps feature_draws reestimate_batches"
    " keep_checkpoints seed",
    "Vertebra": "level corners_mm slice_range probability",
    "Volume": "array affine",
    "evaluate_model": "model_dir data_dir output_dir options",
    "load_model": "path",
    "open_data": "path",
    "train_model": "request say on_epoch",
}
_OTHERS = {"DiscLevel", "PRESETS", "Task", "VertebraLevel", "__version__"}


def test_public_names():
    assert set(spine_tf.__all__) == {*_MODULES, *_CALLED, *_OTHERS}


@pytest.mark.parametrize("name", sorted(_CALLED))
def test_what_they_take(name):
    taken = " ".join(inspect.signature(getattr(spine_tf, name)).parameters)
    assert taken == _CALLED[name]


def test_enumerations_and_tables():
    assert [level.value for level in spine_tf.DiscLevel][4] == "L1-L2"
    assert list(spine_tf.PRESETS)[:4] == ["paper", "full", "small", "tiny"]
    assert {"longitudinal", "grading"} <= set(spine_tf.tasks.TASKS)
    assert issubclass(spine_tf.tasks.TASKS["grading"], spine_tf.Task)


def test_asking_for_plain_names_loads_nothing_heavy():
    code = (
        "import sys, spine_tf\n"
        "[getattr(spine_tf, name) for name in spine_tf._PLAIN]\n"
        "sys.exit(bool({'tensorflow', 'keras', 'apache_beam', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
