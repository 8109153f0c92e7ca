"""The detector's network, and its weights as one small file."""

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from spine_tf import config, files
from spine_tf.detection import targets
from spine_tf.models import networks, transfer

CLASSES, CORNERS = "classes", "corners"  # outputs
FORMAT = "spine_tf detector/1"
_CONFIG = "config"
INPUT_SHAPE = (None, None, 1)  # slices of any size


def build(encoder: keras.Model, model_config: config.ModelConfig, seed: int) -> keras.Model:
    """Builds the network on an encoder.

    Args:
        encoder: A U-Net's, for INPUT_SHAPE.
        model_config: Sizes.
        seed: Seed of the weights.

    Returns:
        A functional model from {"image": [batch, rows, columns, 1]} to CLASSES, logits [batch,
        rows, columns, classes], and CORNERS, offsets [batch, rows, columns, 8], see
        `targets.corner_offsets`. Rows and columns are multiples of 16.
    """
    image = keras.Input(INPUT_SHAPE, name="image")
    num_classes = len(targets.CLASSES)
    shape = (*INPUT_SHAPE[:2], num_classes + targets.NUM_OFFSETS)
    maps = networks.decoder(model_config, encoder(image), shape, skips=True, seed=seed)
    outputs = {CLASSES: maps[..., :num_classes], CORNERS: maps[..., num_classes:]}
    return keras.Model({"image": image}, outputs, name="detection")


@dataclasses.dataclass(frozen=True)
class Packed:
    """A detector that was read from a file.

    Attributes:
        model: The network.
        facts: What was written with it: where it comes from.
    """

    model: keras.Model
    facts: Mapping[str, Any]


def save(
    path: str, model: keras.Model, model_config: config.ModelConfig, facts: Mapping[str, Any]
) -> None:
    """Writes a detector as one file, kernels as float16, whole or not at all.

    Args:
        path: The file, NAME.npz.
        model: From `build`.
        model_config: Its sizes.
        facts: What shall be known of it; ready for JSON.
    """
    arrays = {}
    for name, layer in transfer.layers_by_name(model).items():
        for number, value in enumerate(layer.get_weights()):
            is_kernel = value.ndim > 1
            arrays[f"{name}:{number}"] = value.astype(np.float16 if is_kernel else np.float32)
    content = {"format": FORMAT, "classes": targets.CLASSES, "facts": dict(facts)}
    content["model_config"] = dataclasses.asdict(model_config)
    arrays[_CONFIG] = np.frombuffer(json.dumps(content).encode(), np.uint8)
    with files.atomic_write(path, "wb") as file:
        np.savez_compressed(file, **arrays)


def load(path: str) -> Packed:
    """Reads what `save` wrote.

    Raises:
        ValueError: If it is no such file, or one of other classes.
    """
    with _opened(path) as arrays:
        content = json.loads(bytes(arrays[_CONFIG])) if _CONFIG in arrays else {}
        if content.get("format") != FORMAT or tuple(content["classes"]) != targets.CLASSES:
            raise ValueError(
                f"{path}: must be a detector of this version ({FORMAT}), got"
                f" {content.get('format')!r}."
            )
        model_config = config.ModelConfig(**content["model_config"])
        encoder = networks.build_encoder(model_config, INPUT_SHAPE, slice_means=(), seed=0)
        model = build(encoder, model_config, seed=0)
        for name, layer in transfer.layers_by_name(model).items():
            count = len(layer.weights)
            layer.set_weights([arrays[f"{name}:{number}"] for number in range(count)])
    return Packed(model, content["facts"])


def _opened(path: str) -> Any:
    """Opens a file of several arrays; what is none, or is cut off, is refused."""
    try:
        arrays = np.load(path)
    except (EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path}: must be a detector of this version ({FORMAT}), and cannot be read ({error})."
        ) from None
    if not hasattr(arrays, "files"):
        raise ValueError(
            f"{path}: must be a detector of this version ({FORMAT}), got a single array."
        )
    return arrays
