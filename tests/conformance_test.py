"""What every task must do, over the table of tasks.

tests/model_folders holds a model folder per stack and task. After a change of a task or of the
network make them again, on each stack: `python -m tests.make_model_folders`.
"""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from spine_tf import config, tasks
from spine_tf.data import augmentation, records, schema
from spine_tf.tasks import task
from spine_tf.training import model_folder, optimizers
from tests import make_model_folders
from tests.spine_tf import tiny_runs

each_task = pytest.mark.parametrize("name", tasks.TASKS)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return records.open_folder(tiny_runs.make_data(tmp_path_factory.mktemp("conformance") / "set"))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Task -> model folder after one step."""
    found = {}

    def get(name):
        if name not in found:
            path = tmp_path_factory.mktemp(name)
            found[name] = tiny_runs.train(data.path, path, name, steps_per_epoch=1)
        return found[name]

    return get


def _made(name, data):
    made = tiny_runs.make_task(name)
    index = data.index(made.record_kind, made.protocol, "train")
    made = made.configure(index)
    return made, index, records.statistics(index, made.class_counts(index))


def _first_batch(made, index):
    inputs = augmentation.InputConfig(0.5, 0.5)

    def item(planned):
        read = index.read(int(planned[0]))
        example = schema.parse(made.record_kind, read, 0.5, index.crop_kind)
        return made.preprocess(example | {"item": planned[1:]}, inputs, tf.constant([0, 0]))

    items = [item(planned) for planned in made.plan(index, 4, seed=0)[0]]
    batch = tf.nest.map_structure(lambda *parts: tf.stack(parts), *items)
    return made.prepare_batch(batch, True, tf.constant([0, 1]))


@each_task
def test_has_tiny_options(name):
    assert name in tiny_runs.OPTIONS, "add the new task to tests/spine_tf/tiny_runs.py"


@each_task
def test_is_its_own_configuration(name):
    made = tiny_runs.make_task(name)
    assert tasks.name_of(made) == name
    assert hash(made) == hash(tiny_runs.make_task(name))
    with pytest.raises(AttributeError):
        made.anything = 1


@each_task
def test_plan_is_a_function_of_its_seed(name, data):
    made, index, _ = _made(name, data)
    plan = made.plan(index, 4, seed=1)
    assert plan.dtype == np.int32 and plan.ndim == 3 and len(plan) > 0
    assert plan[..., 0].max() < len(index)
    np.testing.assert_array_equal(plan, made.plan(index, 4, seed=1))
    assert not np.array_equal(plan, made.plan(index, 4, seed=2))


@each_task
def test_keys_agree(name, data):
    made, index, statistics = _made(name, data)
    batch = _first_batch(made, index)
    model = model_folder.build_model(made, tiny_runs.model_of(name), statistics, seed=0)
    outputs = model(batch.inputs, training=False)
    losses = made.losses(statistics)
    task.check_keys(batch, outputs, losses)
    assert set(made.metrics()) == set(losses) >= set(made.loss_weights())
    for key, loss in losses.items():
        found = loss(batch.labels[key], outputs[key]).shape
        assert found == batch.weights[key].shape and found[0] == outputs[key].shape[0]


@each_task
def test_model_is_functional(name, data):
    made, _, statistics = _made(name, data)
    model = model_folder.build_model(made, tiny_runs.model_of(name), statistics, seed=0)
    assert type(model) is type(keras.Model(*[keras.Input([1])] * 2))  # Functional, no subclass
    assert set(make_model_folders.inputs_of(model)) and isinstance(model.output, dict)


@each_task
def test_one_step_moves_all_weights(name, trained):
    folder = trained(name)
    model = folder.build()
    assert len(model_folder.find_encoder(model).trainable_weights) > 0
    names, before = [weight.name for weight in model.weights], model.get_weights()
    model.load_weights(os.path.join(folder.path, model_folder.WEIGHTS))
    after = model.get_weights()
    still = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if (a == b).all()]
    # A bias before batch norm has no gradient, but for rounding.
    assert not [names[i] for i in still if "bias" not in names[i]]


@each_task
@pytest.mark.usefixtures("untraced")
def test_a_frozen_encoder_stays_as_it_is(name, data, tmp_path):
    source = model_folder.load(str(make_model_folders.FOLDER / "current" / name))
    folder = tiny_runs.train(
        data.path, tmp_path, name, init_from=source.path, freeze_encoder=True, steps_per_epoch=1
    )
    model = folder.build()
    model_folder.copy_encoder(source.path, model)
    encoder = model_folder.find_encoder(model)
    assert any("moving_variance" in weight.name for weight in encoder.weights)
    start, expected = model.get_weights(), encoder.get_weights()
    model.load_weights(os.path.join(folder.path, model_folder.WEIGHTS))
    for one, other in zip(expected, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    weights = zip(start, model.get_weights(), strict=True)
    assert any((one != other).any() for one, other in weights)


@each_task
def test_saved_weights_are_the_weights(name, trained, tmp_path):
    model = trained(name).load_model()
    model.save_weights(tmp_path / "a.weights.h5")
    saved = model.get_weights()
    model.set_weights([np.zeros_like(value) for value in saved])
    model.load_weights(tmp_path / "a.weights.h5")
    for one, other in zip(saved, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("stack", make_model_folders.STACKS)
@each_task
def test_a_model_folder_of_either_stack_gives_its_outputs(stack, name):
    path = make_model_folders.FOLDER / stack / name
    folder = model_folder.load(str(path))
    assert folder.versions["keras"].startswith("2." if stack == "addons" else "3.")
    assert folder.task == tiny_runs.make_task(name)
    with np.load(path / make_model_folders.CHECK) as check:
        inputs = {key.split("/")[1]: check[key] for key in check if key.startswith("input/")}
        expected = {key.split("/")[1]: check[key] for key in check if key.startswith("output/")}
    outputs = folder.load_model()(inputs, training=False)
    assert set(outputs) == set(expected)
    for key, value in expected.items():
        assert np.ptp(value) > 1e-3  # else the check would be worth nothing
        found = make_model_folders.sample(np.asarray(outputs[key]))
        np.testing.assert_allclose(found, value, atol=1e-5, rtol=1e-5)


@each_task
def test_committed_model_folders_are_small(name):
    for stack in make_model_folders.STACKS:
        path = make_model_folders.FOLDER / stack / name
        # A layer costs 2 to 4 kB whatever its size, and a U-Net has many.
        assert sum(os.path.getsize(path / file) for file in os.listdir(path)) < 350_000


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(tasks.TASKS) - set(tiny_runs.MODELS)))
def test_the_network_of_the_paper_makes_a_step(name):
    made, model_config = tiny_runs.make_task(name), config.preset("paper")
    statistics = records.Statistics({"disc_bulging": [1, 1], "level": [1] * 7}, {}, [0.3] * 15)
    model = model_folder.build_model(made, model_config, statistics, seed=0)
    rng = np.random.default_rng(0)
    inputs = {
        key: rng.uniform(0, 1, (2, *tensor.shape[1:])).astype(
            tf.as_dtype(tensor.dtype).as_numpy_dtype
        )
        for key, tensor in make_model_folders.inputs_of(model).items()
    }
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        losses = made.losses(statistics)
        labels = {key: np.zeros(outputs[key].shape[:1], np.int32) for key in losses}
        labels |= {"same_subject": np.eye(2)} if name == "longitudinal" else {}
        if "restored" in labels:
            # Target, given, weight and changed: every voxel counts.
            labels["restored"] = np.zeros((*outputs["restored"].shape[:-1], 4)) + [0, 0, 1, 0]
        total = tf.add_n(
            [tf.reduce_sum(loss(labels[key], outputs[key])) for key, loss in losses.items()]
        )
    gradients = tape.gradient(total, variables)
    optimizer = optimizers.make("sgd", 1e-3)
    before = model_folder.find_encoder(model).get_weights()
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
    assert np.isfinite(total).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    after = model_folder.find_encoder(model).get_weights()
    assert any((one != other).any() for one, other in zip(before, after, strict=True))
