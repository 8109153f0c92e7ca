"""How well the pretexts that give back an image do it: restoration ratios with intervals.

The ratio is MSE(restored) / MSE(given), over all images together: a network that copies what it is
given has 1. An autoencoder is given the image itself, which leaves no ratio, and to a removed
region nearly anything is nearer than what was put there. So beside it stands the share of the
variance that the restored image misses: a network that gives the mean of what is asked for of every
image has 1.

Source: Chen 2019, section 2; methods 3.2.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from spine_tf.evaluation import bootstrap, examples, fold, pretext_verdict
from spine_tf.evaluation import options as options_lib
from spine_tf.losses import masked_squared_error
from spine_tf.metrics import restoration_ratio
from spine_tf.tasks import restoration_task

IMAGES = "images.csv"
COLUMNS = (
    *("key", "subject", "visit", "fold", "voxels", "changed_voxels"),
    *("restored_error", "given_error", "restored_error_changed", "given_error_changed"),
    "deviation",
)
_SUMS = COLUMNS[4:]
_UNCHANGED = "nothing is changed: the network is shown the image as it is"
_CONSTANT = "every image is of one value"


def evaluate(
    folds: Sequence[fold.Fold], options: options_lib.Options
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluates models that give back images; images of folds are pooled.

    Args:
        folds: Models and their records.
        options: Options.

    Returns:
        The results, ready for JSON, and file name -> rows of a CSV file: a line per image with its
        squared errors, summed over voxels (means of channels).
    """
    table = [row for number, one in enumerate(folds) for row in _rows(one, number, options)]
    columns = {name: np.array([row[name] for row in table], float) for name in _SUMS}
    units, num_units = bootstrap.codes([row[options.bootstrap] for row in table])
    counts = bootstrap.draw_counts(num_units, options.num_draws, options.seed)

    def ratio(upper: str, lower: str, reason: str) -> dict[str, Any]:
        return bootstrap.ratio(columns[upper], columns[lower], units, counts, reason)

    results: dict[str, Any] = {
        "images": len(table),
        "subjects": len({row["subject"] for row in table}),
        restoration_ratio.EVERYWHERE: ratio("restored_error", "given_error", _UNCHANGED),
        restoration_ratio.CHANGED: ratio(
            "restored_error_changed", "given_error_changed", _UNCHANGED
        ),
        restoration_ratio.MISSED_VARIANCE: ratio("restored_error", "deviation", _CONSTANT),
        "changed_share": ratio("changed_voxels", "voxels", ""),
    }
    results |= pretext_verdict.verdict(folds[0].folder.task, results)
    table.sort(key=lambda row: (row["key"], row["visit"]))
    return results, {IMAGES: [COLUMNS, *([row[name] for name in COLUMNS] for row in table)]}


def _rows(one: fold.Fold, number: int, options: options_lib.Options) -> list[dict[str, Any]]:
    """A row per image; every family and subject, too, for intervals over them."""
    items = examples.all_items(one)
    compare = _comparison(one.folder.load_model())
    rows = []
    for positions, batch in examples.batches(one, items, options.batch_size):
        label = batch.labels[restoration_task.RESTORED]
        found = {name: value.numpy() for name, value in compare(batch.inputs, label).items()}
        for i, position in enumerate(positions):
            record, visit = items[position]
            facts = one.test.rows[record]
            row = {name: facts[name] for name in ("key", "subject", "family")}
            row |= {"visit": facts["visit"][visit], "fold": number}
            rows.append(row | {name: f"{found[name][i]:.8g}" for name in _SUMS})
    return rows


def _comparison(model: keras.Model):
    """(inputs, label) -> sums of every image, compiled."""

    @tf.function(autograph=False)
    def compare(inputs, label):
        restored = model(dict(inputs), training=False)[restoration_task.RESTORED]
        return sums(label, tf.cast(restored, tf.float32))

    return compare


def sums(label: tf.Tensor, restored: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns what is summed over the voxels of every image that count.

    Args:
        label: [batch, ..., 2 * channels + 2], see `masked_squared_error.pack`; a voxel counts where
            its weight is above 0, whatever the weight.
        restored: [batch, ..., channels].

    Returns:
        Name -> [batch] float32: voxels, changed_voxels; restored_error and given_error (squared,
        means of channels), both also inside the changed voxels (_changed); deviation: squared, from
        the mean of the image's channel.
    """
    target, weight, given, changed = masked_squared_error.unpack(label)
    counts = tf.cast(weight > 0, tf.float32)
    axes = list(range(1, len(weight.shape)))

    def total(values, mask):
        return tf.reduce_sum(mask * values, axes)

    def error(image):
        return tf.reduce_mean(tf.square(image - target), -1)

    voxels, inside = total(1.0, counts), counts * changed
    mean = restoration_ratio.masked_mean(target, counts)
    return {
        "voxels": voxels,
        "changed_voxels": total(1.0, inside),
        "restored_error": total(error(restored), counts),
        "given_error": total(error(given), counts),
        "restored_error_changed": total(error(restored), inside),
        "given_error_changed": total(error(given), inside),
        "deviation": total(error(mean), counts),
    }


def lines(results: dict[str, Any]) -> list[str]:
    """Returns the short table that is printed."""
    table = [f"{results['images']} images of {results['subjects']} subjects"]
    names = (restoration_ratio.EVERYWHERE, restoration_ratio.CHANGED)
    for name in (*names, restoration_ratio.MISSED_VARIANCE, "changed_share"):
        found = results[name]
        table.append(f"{name:28}{bootstrap.text(found)}")
    return [*table, pretext_verdict.line(results)]
