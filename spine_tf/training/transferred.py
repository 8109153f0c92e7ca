"""What a run takes over from another model: its layers, and batch norm that fits the new images.

    MODEL_DIR/transferred.json   {"copied": ["encoder/conv1_1", ...], "new": ["decoder_output"]}

Source: methods 3.3 (matching layers, new last layers; batch norm statistics are copied, then
re-estimated over 200 batches) and P12 (pretexts change the statistics of images).
"""

import itertools
import os
from collections.abc import Callable, Collection

import keras

from spine_tf import files
from spine_tf.models import transfer
from spine_tf.training import batches as batches_lib
from spine_tf.training import frozen_features, model_folder
from spine_tf.training import step as step_lib

FILE = "transferred.json"
FORMAT = "spine_tf transferred/1"


def note(
    model_dir: str, copied: Collection[str], model: keras.Model, say: Callable[[str], None]
) -> None:
    """Writes down which layers were taken over, and says it; once in the life of a run.

    Args:
        model_dir: The model folder.
        copied: Names of the layers, from `model_folder.copy_encoder`; nothing is written of none.
        model: The model.
        say: Takes the line.
    """
    path = os.path.join(model_dir, FILE)
    if not copied or os.path.exists(path):
        return
    new = transfer.new_layers(model, copied)
    files.write_json(path, {"format": FORMAT, "copied": list(copied), "new": list(new)})
    of_encoder = sum(name.startswith("encoder/") for name in copied)
    say(
        f"taken over: {of_encoder} layers of the encoder, {len(copied) - of_encoder} others; new:"
        f" {', '.join(new) or 'none'}."
    )


def reestimate(
    folder: model_folder.ModelFolder,
    model: keras.Model,
    steps: step_lib.Steps,
    batches: batches_lib.Batches | frozen_features.FeatureBatches,
    say: Callable[[str], None],
) -> None:
    """Lets batch norm see training batches, where weights were taken over and are trained.

    No weight moves. The batches are the first of the run, epoch after epoch.

    Args:
        folder: What was asked for.
        model: The model that is trained.
        steps: Its steps.
        batches: Its batches.
        say: Takes a line.
    """
    request, count = folder.request, folder.train_config.reestimate_batches
    if not request["init_from_sha256"] or request["freeze_encoder"] or not count:
        return
    if not model.non_trainable_variables:  # no batch norm
        return
    for batch in itertools.islice(batches_lib.endless(batches), count):
        steps.observe(batch)
    say(f"batch norm: statistics of {count} batches of the new images.")
