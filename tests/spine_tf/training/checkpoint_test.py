import keras
import pytest
import tensorflow as tf

from spine_tf.training import checkpoint, optimizers


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


def test_a_checkpoint_holds_weights_momentum_rate_and_counters(tmp_path):
    model, optimizer, state = _parts()
    manager = checkpoint.manager(str(tmp_path), model, optimizer, state, keep=2)
    assert manager.restore_or_initialize() is None
    _step(model, optimizer)
    optimizers.set_learning_rate(optimizer, 0.25)
    state.epoch.assign(3)
    state.add_losses({"loss": 7.0})
    _watch(state, [1.5])
    manager.save()
    _step(model, optimizer)

    other, other_optimizer, other_state = _parts()
    restored = checkpoint.manager(str(tmp_path), other, other_optimizer, other_state, keep=2)
    assert restored.restore_or_initialize()
    assert int(other_state.epoch) == 3 and float(other_state.best) == 1.5
    assert float(other_state.loss_sums["loss"]) == 7.0
    assert optimizers.get_learning_rate(other_optimizer) == 0.25
    _step(other, other_optimizer)  # the same step again: momentum was kept
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        assert one == pytest.approx(two, abs=0)


def test_the_last_checkpoints_are_kept(tmp_path):
    manager = checkpoint.manager(str(tmp_path), *_parts(), keep=2)
    paths = [manager.save() for _ in range(3)]
    assert manager.checkpoints == paths[1:]
    assert all(path.startswith(str(tmp_path / "checkpoints")) for path in paths)
