import numpy as np
import pytest
import tensorflow as tf

from spine_tf import config
from spine_tf.data import augmentation, records, slice_schema
from spine_tf.detection import targets
from spine_tf.models import networks
from spine_tf.tasks.downstream import detection
from tests.spine_tf import tiny_runs
from tests.spine_tf.detection import network_maps

UNET = config.ModelConfig(width=1 / 32, network=config.UNET)
PLAIN = augmentation.InputConfig(1.0, 1.0)
RANDOM = augmentation.InputConfig(1.0, 1.0, augmentation.AugmentConfig())
SIZE = (64, 48)
MADE = detection.Detection(rows=SIZE[0], columns=SIZE[1])
S1 = targets.CLASSES.index("S1")


def _example():
    painted = targets.label_map(network_maps.QUADS, network_maps.SHAPE[1:]).astype(np.int32)
    return {
        "image": tf.constant(painted == S1, tf.float32)[..., None] * 50 + 100,
        "label_map": tf.constant(painted),
        "low": tf.constant([100.0]),
        "high": tf.constant([150.0]),
        "quad_labels": tf.constant(list(network_maps.QUADS), tf.int64),
        "quads": tf.constant(np.array(list(network_maps.QUADS.values())), tf.float32),
    }


def test_without_augmentation_it_is_the_middle():
    found = MADE.preprocess(_example(), PLAIN, tf.constant([0, 0]))
    # The middle begins at row 32 and column 8; S1 at row 66 and column 20.
    assert found["image"].shape == (*SIZE, 1)
    assert found["image"].numpy()[40, 20, 0] == 1 and found["image"].numpy()[20, 20, 0] == 0
    classes, weight = np.moveaxis(found["classes"].numpy(), -1, 0)
    assert classes[40, 20] == S1 and weight[40, 20] == 1
    assert classes[15, 5] == 0 and weight[15, 5] == 0  # not known
    offsets = found["corners"].numpy()[40, 20] * targets.OFFSET_PIXELS
    np.testing.assert_allclose(offsets[:2], [66 - 32 - 40, 20 - 8 - 20], atol=1e-4)


def test_a_volume_of_one_value_is_dark():
    example = _example() | {"image": tf.fill([*network_maps.SHAPE[1:], 1], 100.0)}
    found = MADE.preprocess(example | {"high": example["low"]}, PLAIN, tf.constant([0, 0]))
    assert not found["image"].numpy().any()


def test_labels_and_corners_go_with_the_augmented_image():
    preprocess = tf.function(lambda seed: MADE.preprocess(_example(), RANDOM, seed))
    for number in range(6):
        found = preprocess(tf.constant([number, 1]))
        classes, corners = found["classes"].numpy(), found["corners"].numpy()
        assert (corners[classes[..., 0] < targets.FIRST_BODY, -1] == 0).all()
        inside = np.argwhere((classes[..., 0] == S1) & (classes[..., 1] > 0))
        for row, column in inside[:: max(1, len(inside) // 5)]:
            quad = corners[row, column, :8].reshape(4, 2) * targets.OFFSET_PIXELS
            larger = quad + 0.1 * (quad - quad.mean(0))  # half a pixel at the edge
            assert targets.inside(larger + [row, column], SIZE)[row, column]


def test_its_outputs_are_its_losses():
    encoder = networks.build_encoder(UNET, MADE.encoder_shape(UNET), slice_means=(), seed=0)
    model = MADE.build(encoder, UNET, 0)
    losses = MADE.losses(records.Statistics({}, {}, ()))
    assert set(model.output) == set(losses) == set(MADE.metrics())
    item = MADE.preprocess(_example(), PLAIN, tf.constant([0, 0]))
    batch = {name: tf.stack([value, value]) for name, value in item.items()}
    batch = MADE.prepare_batch(batch, True, tf.constant([0, 0]))
    outputs = model(batch.inputs, training=False)
    for name, loss in losses.items():
        weighted = batch.weights[name] * loss(batch.labels[name], outputs[name])
        assert weighted.shape == (2,) and np.isfinite(weighted).all()


def test_slices_without_a_label_map_are_not_planned():
    rows = tuple({"label_pixels": m} for m in (None, {"0": 3}, {"12": 4}))
    index = records.Index("", "slice", 1.0, rows, slice_schema.SliceKind())
    assert sorted(MADE.plan(index, 2, 0)[0, :, 0].tolist()) == [1, 2]
    assert MADE.class_counts(index)["classes"][12] == 4


@pytest.mark.parametrize("name", ["rows", "columns"])
def test_sides_are_multiples_of_16(name):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive multiple of 16"):
        detection.Detection(**{name: 100})


def test_it_needs_a_unet():
    with pytest.raises(ValueError, match="`preset` must be a U-Net"):
        MADE.encoder_shape(config.ModelConfig())


def test_it_trains(tmp_path):
    data_dir = tiny_runs.make_data(tmp_path / "set")
    folder = tiny_runs.train(data_dir, tmp_path / "model", "detection", augment=True)
    columns = (tmp_path / "model" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"classes", "corners", "val_loss"} <= set(columns)
    assert folder.task == tiny_runs.make_task("detection")
