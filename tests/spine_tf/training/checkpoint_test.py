import os

import keras
import pytest
import tensorflow as tf

from spine_tf.training import checkpoint, optimizers
from tests.spine_tf.training import small_disk


def _watch(state, losses, **options):
    settings = {"patience": 2, "min_delta": 0.0, "max_drops": 1} | options
    return [checkpoint.watch(state, loss, **settings) for loss in losses]


BEST = checkpoint.Plateau(is_best=True, drop=False, stop=False)
WAIT = checkpoint.Plateau(is_best=False, drop=False, stop=False)
DROP = checkpoint.Plateau(is_best=False, drop=True, stop=False)
STOP = checkpoint.Plateau(is_best=False, drop=False, stop=True)


def test_a_plateau_lowers_the_rate_and_the_next_stops():
    state = checkpoint.RunState()
    found = _watch(state, [3.0, 2.0, 2.5, 2.0, 2.1, 1.9, 1.9, 1.9])
    # 2.5 and 2.0 are the first plateau; 1.9 is progress after one epoch of the next.
    assert found == [BEST, BEST, WAIT, DROP, WAIT, BEST, WAIT, STOP]
    assert bool(state.stopped) and float(state.best) == 1.9 and int(state.drops) == 1


def test_progress_must_be_more_than_the_least_fall():
    found = _watch(checkpoint.RunState(), [1.0, 0.95, 0.89, 0.85], min_delta=0.1, patience=3)
    assert found == [BEST, WAIT, BEST, WAIT]


def test_without_drops_the_first_plateau_stops():
    assert _watch(checkpoint.RunState(), [1.0, 1.0], patience=1, max_drops=0) == [BEST, STOP]


def test_losses_are_averaged_over_the_steps_of_an_epoch():
    state = checkpoint.RunState()
    state.loss_sums = {name: tf.Variable(0.0, dtype=tf.float64) for name in ("loss", "level")}
    assert state.mean_losses() == {"loss": 0.0, "level": 0.0}
    for step, (loss, level) in enumerate([(1.0, 4.0), (2.0, 5.0)]):
        state.add_losses({"loss": loss, "level": level})
        state.step.assign(step + 1)
    assert state.mean_losses() == {"loss": 1.5, "level": 4.5}
    state.next_epoch()
    assert (int(state.epoch), int(state.step)) == (1, 0)
    assert state.mean_losses() == {"loss": 0.0, "level": 0.0}


def _parts():
    """Model, optimizer with slots, and state of a run."""
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
    optimizer = optimizers.make("sgd", 0.5)
    optimizers.build(optimizer, model.trainable_variables)
    state = checkpoint.RunState()
    state.loss_sums = {"loss": tf.Variable(0.0, dtype=tf.float64)}
    return model, optimizer, state


def _step(model, optimizer):
    variables = model.trainable_variables
    optimizer.apply_gradients(zip([tf.ones_like(v) for v in variables], variables, strict=True))


def _checkpoints(folder, parts):
    return checkpoint.Checkpoints(str(folder), *parts)


def _save_three(folder):
    """Saves after epochs 1 to 3; returns the parts of the run."""
    parts = model, optimizer, state = _parts()
    for epoch in (1, 2, 3):
        _step(model, optimizer)
        state.epoch.assign(epoch)
        _checkpoints(folder, parts).save(keep=2)
    return parts


def _names(folder):
    return [os.path.basename(path) for path in checkpoint.saved(str(folder / "checkpoints"))]


def test_a_checkpoint_holds_weights_momentum_rate_and_counters(tmp_path):
    parts = model, optimizer, state = _parts()
    assert not _checkpoints(tmp_path, parts).restore(print)
    _step(model, optimizer)
    optimizers.set_learning_rate(optimizer, 0.25)
    state.epoch.assign(3)
    state.add_losses({"loss": 7.0})
    _watch(state, [1.5])
    _checkpoints(tmp_path, parts).save(keep=2)
    _step(model, optimizer)

    others = other, other_optimizer, other_state = _parts()
    assert _checkpoints(tmp_path, others).restore(print)
    assert int(other_state.epoch) == 3 and float(other_state.best) == 1.5
    assert float(other_state.loss_sums["loss"]) == 7.0
    assert optimizers.get_learning_rate(other_optimizer) == 0.25
    _step(other, other_optimizer)  # the same step again: momentum was kept
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        assert one == pytest.approx(two, abs=0)


def test_the_last_checkpoints_are_kept_and_no_other_files(tmp_path):
    _save_three(tmp_path)
    assert _names(tmp_path) == ["epoch000003-step00000000", "epoch000002-step00000000"]
    assert len(os.listdir(tmp_path / "checkpoints")) == 4


def test_another_worker_keeps_none(tmp_path):
    _checkpoints(tmp_path, _parts()).save(keep=2, is_chief=False)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("ending", [".index", ".data-00000-of-00001"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_checkpoint_is_skipped_with_a_warning(tmp_path, ending, damage):
    _save_three(tmp_path)
    path = tmp_path / "checkpoints" / f"epoch000003-step00000000{ending}"
    content = path.read_bytes()
    middle = len(content) // 2
    if damage == "cut":
        path.write_bytes(content[:middle])
    else:
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
    lines = []
    others = _parts()
    assert _checkpoints(tmp_path, others).restore(lines.append)
    assert int(others[2].epoch) == 2
    (line,) = lines
    assert "epoch000003-step00000000: skipped, it is damaged (" in line


def test_a_damaged_checkpoint_is_not_kept_in_place_of_a_whole_one(tmp_path):
    _save_three(tmp_path)
    folder = tmp_path / "checkpoints"
    (folder / "epoch000003-step00000000.index").write_bytes(b"")
    made = _checkpoints(tmp_path, _parts())
    assert made.restore(lambda line: None)
    made.save(keep=1)
    assert {path.name.split(".")[0] for path in folder.iterdir()} == {"epoch000002-step00000000"}


def test_where_all_are_damaged_the_run_does_not_begin_anew(tmp_path):
    _save_three(tmp_path)
    for path in (tmp_path / "checkpoints").glob("*.index"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="has no checkpoint that can be read. Choose another"):
        _checkpoints(tmp_path, _parts()).restore(lambda line: None)


def test_what_a_killed_run_left_half_written_is_removed(tmp_path):
    _save_three(tmp_path)
    folder = tmp_path / "checkpoints"
    left = (
        "epoch000004-step00000000.data-00000-of-00001",
        "epoch000004-step00000000.index.tempstate123",
        "epoch000003-step00000000.index.tempstate123",
    )
    for name in left:
        (folder / name).write_bytes(b"")
    (folder / "epoch000004-step00000000_temp").mkdir()
    assert _checkpoints(tmp_path, _parts()).restore(print)
    assert len(os.listdir(folder)) == 4


def test_a_checkpoint_of_another_model(tmp_path):
    _save_three(tmp_path)
    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(1)])
    optimizer = optimizers.make("sgd", 0.5)
    optimizers.build(optimizer, model.trainable_variables)
    with pytest.raises(ValueError, match="epoch000003.*is a checkpoint of another model"):
        _checkpoints(tmp_path, (model, optimizer, _parts()[2])).restore(print)


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path):
    parts = _save_three(tmp_path)
    parts[2].epoch.assign(4)
    with small_disk.limit(100), pytest.raises(OSError, match="epoch000004.* could not be written"):
        _checkpoints(tmp_path, parts).save(keep=2)
    others = _parts()
    assert _checkpoints(tmp_path, others).restore(print)
    assert int(others[2].epoch) == 3
