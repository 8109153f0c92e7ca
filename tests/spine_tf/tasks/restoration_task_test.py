"""What the tasks that give back an image ask of the network."""

import numpy as np
import pytest
import tensorflow as tf

from spine_tf import config
from spine_tf.losses import masked_squared_error
from spine_tf.models import networks
from spine_tf.tasks import restoration_task
from spine_tf.tasks.pretext import autoencoder, context_prediction, context_restoration

SEED = tf.constant([3, 4])


def _batch():
    """Two images of 32x48 pixels and 2 channels, the second with 16 rows of padding."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 1, 32, 48, 2)).astype(np.float32)
    valid = np.ones((2, 1, 32, 48), bool)
    valid[1, :, :16] = False
    image[~valid] = 0
    return {"image": tf.constant(image), "valid": tf.constant(valid), "foreground": valid}


def _asked(made):
    batch = made.prepare_batch(_batch(), True, SEED)
    parts = masked_squared_error.unpack(batch.labels["restored"])
    return batch.inputs["image"].numpy(), [part.numpy() for part in parts]


def _made(kind):
    return kind(anatomy="slice", image_shape=(1, 32, 48, 2))


@pytest.mark.parametrize(
    "kind",
    [
        autoencoder.Autoencoder,
        context_prediction.ContextPrediction,
        context_restoration.ContextRestoration,
    ],
)
def test_the_image_is_asked_for_and_what_is_shown_differs_where_it_says(kind):
    shown, (target, _, given, changed) = _asked(_made(kind))
    np.testing.assert_array_equal(target, _batch()["image"][:, 0])
    np.testing.assert_array_equal(shown, given)
    differs = np.any(given != target, -1)
    np.testing.assert_array_equal(differs & (changed == 0), False)
    assert not differs[1, :16].any()


def test_restoration_swaps_and_counts_every_valid_pixel():
    shown, (target, weight, _, changed) = _asked(_made(context_restoration.ContextRestoration))
    np.testing.assert_array_equal(weight, _batch()["valid"][:, 0])
    for one, other in zip(shown, target, strict=True):
        for channel in (0, 1):
            np.testing.assert_array_equal(
                np.sort(one[..., channel], None), np.sort(other[..., channel], None)
            )
    assert 0.2 < changed[0].mean() < 0.6


@pytest.mark.parametrize("coverage", [0.1, 0.4, 0.7])
def test_coverage_is_the_share_that_changes(coverage):
    made = context_restoration.ContextRestoration("slice", 0, (1, 96, 96, 1), coverage=coverage)
    rng = np.random.default_rng(0)
    image = tf.constant(rng.normal(size=(16, 1, 96, 96, 1)), tf.float32)
    everywhere = tf.ones(image.shape[:-1], tf.bool)
    batch = {"image": image, "valid": everywhere, "foreground": everywhere}
    label = made.prepare_batch(batch, True, SEED).labels["restored"]
    *_, changed = masked_squared_error.unpack(label)
    assert abs(float(tf.reduce_mean(changed)) - coverage) < 0.04


@pytest.mark.parametrize("whole_columns", [False, True])
def test_a_patch_may_go_through_all_slices(whole_columns):
    made = context_restoration.ContextRestoration("disc", whole_columns=whole_columns)
    rng = np.random.default_rng(0)
    image = tf.constant(rng.normal(size=(2, 9, 48, 48, 1)), tf.float32)
    everywhere = tf.ones(image.shape[:-1], tf.bool)
    batch = {"image": image, "valid": everywhere, "foreground": everywhere}
    label = made.prepare_batch(batch, True, SEED).labels["restored"]
    changed = masked_squared_error.unpack(label)[-1].numpy()
    # Where one slice of a column of voxels is changed, all are.
    assert np.array_equal(changed.any(1), changed.all(1)) == whole_columns


def test_changed_pixels_may_count_more():
    made = context_restoration.ContextRestoration(
        anatomy="slice", image_shape=(1, 32, 48, 2), changed_weight=3.0
    )
    _, (_, weight, _, changed) = _asked(made)
    np.testing.assert_array_equal(weight[0], np.where(changed[0] > 0, 3.0, 1.0))


def test_prediction_counts_the_removed_region_alone():
    shown, (_, weight, _, changed) = _asked(_made(context_prediction.ContextPrediction))
    np.testing.assert_array_equal(weight, changed)
    assert changed[0].sum() == 16 * 24 and not shown[0][changed[0] > 0].any()


def test_an_autoencoder_has_no_concatenations():
    unet = config.ModelConfig(width=1 / 32, network=config.UNET)

    def has_skips(kind):
        made = _made(kind)
        encode = networks.build_encoder(unet, made.encoder_shape(unet), slice_means=[], seed=0)
        names = [layer.name for layer in made.build(encode, unet, 0).layers]
        return any("concat" in name or "join" in name for name in names)

    assert has_skips(context_restoration.ContextRestoration)
    assert not has_skips(autoencoder.Autoencoder)


def test_alarm_of_a_pretext_that_is_not_learned():
    for made, measure in (
        (autoencoder.Autoencoder(), "missed_variance"),
        (context_restoration.ContextRestoration(), "restoration_ratio"),
    ):
        column = f"val_restored/{measure}"
        assert restoration_task.judged_column(made) == column
        rows = [{column: 0.7}] * 20
        assert f"{column} is 0.700 after 20 epochs" in made.alarms(rows)[0]
        assert not made.alarms(rows[:19])
        assert not made.alarms([*rows[:19], {column: 0.5}])
        assert not made.alarms([*rows[:19], {column: float("nan")}])


def test_what_cannot_be():
    with pytest.raises(ValueError, match="`changed_weight` must be positive, got 0"):
        context_restoration.ContextRestoration(changed_weight=0.0)
    with pytest.raises(ValueError, match="`coverage` must be above 0 and at most 0.9, got 1"):
        context_restoration.ContextRestoration(coverage=1.0)
