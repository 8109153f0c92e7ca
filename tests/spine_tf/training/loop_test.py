"""The loop, on one device; what needs two runs in runs_on_two_devices.py."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from spine_tf.data import records
from spine_tf.training import journal, loop, model_folder
from tests.spine_tf import tiny_runs
from tests.spine_tf.training import small_disk

FIRST_STEP = {"steps_per_epoch": 1, "learning_rate": 0.1, "weight_decay": 0.0}


@pytest.fixture(scope="module")
def on_two_devices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    command = [sys.executable, "-m", "tests.spine_tf.training.runs_on_two_devices"]
    found = subprocess.run(
        [*command, str(folder), str(folder / "results.json")], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    return json.loads((folder / "results.json").read_text())


def test_a_stopped_run_ends_with_the_same_bits(on_two_devices):
    expected = {"trainable_weights": 0.0, "non_trainable_weights": 0.0}
    assert on_two_devices["resumed on one"] == expected


def test_a_stopped_run_on_two_devices_ends_with_the_same_bits(on_two_devices):
    assert on_two_devices["resumed on two"] == {"trainable_weights": 0.0}


def test_two_devices_and_one_give_the_same_weights(on_two_devices):
    assert on_two_devices["two and one"]["trainable_weights"] < 1e-5
    assert on_two_devices["frozen, two and one"]["trainable_weights"] < 1e-5


def test_a_batch_that_cannot_be_split(on_two_devices):
    assert "`batch_size` must be a multiple of the 2 devices, got 3" in on_two_devices["odd batch"]


def test_parts_of_a_batch_are_split_added_and_joined(on_two_devices):
    expected = {"total": 6, "joined": [0, 1, 2, 3], "first": [0, 1]}
    assert on_two_devices["joined"] == expected


@pytest.fixture(scope="module")
def first_epoch(data_dir, tmp_path_factory):
    """A grading model after its only step, its first weights and those after the step."""
    path = tmp_path_factory.mktemp("source")
    folder = tiny_runs.train(data_dir, path, **FIRST_STEP)
    return folder, folder.build().get_weights(), folder.load_model().get_weights()


@pytest.fixture(scope="module")
def source(first_epoch, data_dir):
    """The same, and one more epoch that was asked for later."""
    return tiny_runs.train(data_dir, first_epoch[0].path, **FIRST_STEP | {"epochs": 2})


def test_a_model_folder_is_whole(source):
    found = set(os.listdir(source.path))
    assert found == {
        *("config.json", "families.json", "best.weights.h5", "metrics.csv"),
        *("checkpoints", "logs", "train.lock"),
    }
    assert model_folder.load(source.path) == source


def test_metrics_have_a_row_per_epoch(source):
    rows = journal.read(source.path)
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert list(rows[0]) == [
        *("epoch", "loss", "disc_bulging", "val_loss", "val_disc_bulging/loss"),
        *("val_disc_bulging/balanced_accuracy", "learning_rate", "seconds"),
    ]
    assert all(0 < float(row["loss"]) < 10 for row in rows)
    assert rows[0]["loss"] == rows[0]["disc_bulging"]  # it is the only part


def test_a_finished_run_stays_as_it_is(source, data_dir):
    settings = FIRST_STEP | {"epochs": 2}
    path = os.path.join(source.path, model_folder.WEIGHTS)
    modified = os.stat(path).st_mtime_ns
    lines = []
    loop.train(tiny_runs.make_request(data_dir, source.path, **settings), say=lines.append)
    assert os.stat(path).st_mtime_ns == modified
    assert lines == [f"{source.path}: is done."]


def test_another_run_in_the_same_folder_is_refused(source, data_dir):
    with pytest.raises(ValueError, match=r"of the same run.*learning_rate \(0.1 there, 0.5 now\)"):
        tiny_runs.train(data_dir, source.path, **FIRST_STEP | {"learning_rate": 0.5})
    with pytest.raises(ValueError, match="'longitudinal' now.*. Choose another folder"):
        tiny_runs.train(data_dir, source.path, "longitudinal")


def test_a_folder_in_which_another_process_trains(source, data_dir):
    hold = "import sys, time; from spine_tf import lock\nwith lock.held(sys.argv[1]):\n"
    hold += " print(flush=True)\n time.sleep(60)"
    command = [sys.executable, "-c", hold, os.path.join(source.path, "train.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        try:
            with pytest.raises(OSError, match="must not be in use, got .* another process is"):
                tiny_runs.train(data_dir, source.path, **FIRST_STEP | {"epochs": 2})
        finally:
            other.kill()
    tiny_runs.train(data_dir, source.path, **FIRST_STEP | {"epochs": 2})


def test_the_encoder_of_another_preset_is_refused(source, data_dir, tmp_path):
    wider = dataclasses.replace(tiny_runs.MODEL, width=1 / 32)
    with pytest.raises(ValueError, match="`init_from` must be a model folder of the same preset"):
        tiny_runs.train(data_dir, tmp_path / "a", model=wider, init_from=source.path)
    with pytest.raises(FileNotFoundError, match="is not a model folder"):
        tiny_runs.train(data_dir, tmp_path / "a", init_from=str(tmp_path))
    assert not (tmp_path / "a").exists()


def test_an_encoder_is_copied_and_nothing_else(source):
    model = source.build()
    heads = [layer for layer in model.layers if layer.name != "encoder" and layer.weights]
    before = [layer.get_weights() for layer in heads]
    model_folder.copy_encoder(source.path, model)
    expected = model_folder.find_encoder(source.load_model()).get_weights()
    for one, other in zip(expected, model_folder.find_encoder(model).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    for layer, weights in zip(heads, before, strict=True):
        for one, other in zip(layer.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(one, other)


def test_crops_too_small_for_the_preset(data_dir, tmp_path):
    larger = dataclasses.replace(tiny_runs.MODEL, crop_scale=1.0)
    with pytest.raises(ValueError, match="`crop_scale` of the data must be at least 1.0, got 0.5"):
        tiny_runs.train(data_dir, tmp_path, model=larger)


def test_a_data_set_without_follow_ups(tmp_path):
    data_dir = tiny_runs.make_data(tmp_path / "set", (1, 1, 1))
    with pytest.raises(ValueError, match="follow-ups at least 180 days apart"):
        tiny_runs.train(data_dir, tmp_path / "model", "longitudinal")
    assert not (tmp_path / "model").exists()


def test_a_loss_that_is_not_finite_stops_the_run(data_dir, tmp_path):
    with pytest.raises(
        ValueError, match="finite.*epoch 1, step 2, with the records s.*choose another"
    ):
        tiny_runs.train(data_dir, tmp_path, model=tiny_runs.PLAIN, learning_rate=1e30)
    failed = json.loads((tmp_path / "failed_batch.json").read_text())
    assert (failed["split"], failed["epoch"], failed["step"]) == ("train", 0, 1)
    index = records.open_folder(data_dir).index("disc", "grading", "train")
    plan = tiny_runs.make_task("grading").plan(index, 4, seed=0)
    assert sorted(failed["records"]) == sorted({index.rows[item]["key"] for item in plan[1, :, 0]})


def test_a_validation_loss_that_is_not_finite_stops_the_run_unsaved(data_dir, tmp_path):
    # The decay makes kernels infinite: oneDNN's kernels turn what is not a number into 0 elsewhere.
    extreme = {"learning_rate": 3e38, "weight_decay": 1e3}
    settings = FIRST_STEP | {"model": tiny_runs.PLAIN} | extreme
    for _ in range(2):  # and again where the same command is given again
        with pytest.raises(ValueError, match="finite.* in validation at epoch 1, step 1"):
            tiny_runs.train(data_dir, tmp_path, **settings)
    assert json.loads((tmp_path / "failed_batch.json").read_text())["split"] == "validation"
    assert not (tmp_path / "checkpoints").exists() and not (tmp_path / "metrics.csv").exists()


def test_a_run_that_was_killed_at_its_first_files_knows_its_families(
    data_dir, tmp_path, first_epoch
):
    source, other = first_epoch[0].path, tmp_path / "other"
    other.mkdir()
    shutil.copy(os.path.join(source, "config.json"), other)
    tiny_runs.train(data_dir, other, **FIRST_STEP)
    with open(os.path.join(source, "families.json"), encoding="utf-8") as file:
        assert (other / "families.json").read_text() == file.read()


def test_a_run_of_the_other_stack_is_refused(data_dir, tmp_path, first_epoch):
    shutil.copytree(first_epoch[0].path, tmp_path / "other")
    path = tmp_path / "other" / "config.json"
    content = json.loads(path.read_text())
    content["versions"]["keras"] = "1.2.3"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="of this stack.*begun with Keras 1.2.3"):
        tiny_runs.train(data_dir, tmp_path / "other", **FIRST_STEP)
    assert json.loads(path.read_text()) == content


@pytest.mark.parametrize(
    "holder, name, message",
    [
        (loop.model_folder, "save_weights", "best.weights.h5"),
        (loop.checkpoint.Checkpoints, "save", "epoch000002-step00000000: the checkpoint could not"),
    ],
)
def test_a_full_disk_leaves_what_was_saved_before(data_dir, tmp_path, holder, name, message):
    settings = FIRST_STEP | {"model": tiny_runs.PLAIN, "min_delta": -1e9}  # every epoch is the best
    tiny_runs.train(data_dir, tmp_path, **settings)
    plain, before = getattr(holder, name), _files(tmp_path)

    def save(*arguments, **options):
        with small_disk.limit(5000):
            plain(*arguments, **options)

    settings |= {"epochs": 2}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError, match=message):
        patch.setattr(holder, name, save)
        tiny_runs.train(data_dir, tmp_path, **settings)
    assert _files(tmp_path) >= before and not list(tmp_path.glob("tmp-*"))
    model_folder.load(str(tmp_path)).load_model()
    lines = []
    loop.train(tiny_runs.make_request(data_dir, tmp_path, **settings), say=lines.append)
    assert lines[0] == f"{tmp_path}: goes on at epoch 2."
    assert [row["epoch"] for row in journal.read(str(tmp_path))] == ["0", "1"]


def _files(folder):
    return {str(path) for path in folder.rglob("*") if path.is_file()}


def _with_losses(monkeypatch, losses):
    """Lets validation say these losses; returns the list of the weights that it sees."""
    values, seen = iter(losses), []

    def validate(run):
        seen.append(run._model.get_weights())
        return {"val_loss": next(values)}

    monkeypatch.setattr(loop._Run, "_validate", validate)
    return seen


def test_the_best_epoch_is_kept_and_the_rate_falls_at_a_plateau(data_dir, tmp_path, monkeypatch):
    # Of epochs 1 to 4 the second is the best. Patience 1: the third lowers the rate, the fourth
    # stops the run.
    seen = _with_losses(monkeypatch, [1.0, 0.5, 0.7, 0.6])
    folder = tiny_runs.train(data_dir, tmp_path, epochs=9, steps_per_epoch=1, patience=1)
    rates = [float(row["learning_rate"]) for row in journal.read(folder.path)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-3, 1e-4])
    for one, other in zip(folder.load_model().get_weights(), seen[1], strict=True):
        np.testing.assert_array_equal(one, other)
    # A run that was stopped by its plateau does not go on.
    tiny_runs.train(data_dir, tmp_path, epochs=9, steps_per_epoch=1, patience=1)
    assert len(seen) == 4


def test_the_rate_falls_as_a_cosine_and_the_last_epoch_is_kept(data_dir, tmp_path, monkeypatch):
    seen = _with_losses(monkeypatch, [1.0, 0.5, 0.7, 2.0])
    settings = {"schedule": "cosine", "steps_per_epoch": 1, "patience": 1}
    for epochs in (2, 4):  # the second run goes on: (1 + cos(angle)) / 2 of 0 and 90 degrees, then
        folder = tiny_runs.train(data_dir, tmp_path, epochs=epochs, **settings)  # of 90 and 135
    rates = [float(row["learning_rate"]) for row in journal.read(folder.path)]
    assert rates == pytest.approx([1e-3, 5e-4, 5e-4, 1e-3 * (1 - 0.5**0.5) / 2], rel=1e-4)
    for one, other in zip(folder.load_model().get_weights(), seen[3], strict=True):
        np.testing.assert_array_equal(one, other)
    assert folder.kept_epoch() == journal.history(folder.path)[3]


def test_decay_adds_its_share_of_every_kernel_to_the_gradient(first_epoch, data_dir, tmp_path):
    # The first step of SGD is -rate * gradient: with and without decay the weights differ by
    # -rate * decay * weight for kernels and not at all for the rest.
    decay = 0.01
    folder = tiny_runs.train(data_dir, tmp_path, **FIRST_STEP | {"weight_decay": decay})
    _, start, without = first_epoch
    for weight, one, other in zip(start, without, folder.load_model().get_weights(), strict=True):
        expected = -0.1 * decay * weight if weight.ndim > 1 else 0 * weight
        np.testing.assert_allclose(other - one, expected, atol=2e-6)
