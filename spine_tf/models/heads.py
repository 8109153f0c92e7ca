"""Fully connected heads over conv5: pool5, FC6, FC7 and FC8 of VGG-M.

Source: Jamaludin 2017, section 3; methods 1.3. FC7 after its ReLU and before dropout is the
embedding.
"""

from collections.abc import Mapping
from typing import Any

import keras

from spine_tf import config
from spine_tf.models import dropout, encoder


def embedding(
    conv5: Any, model_config: config.ModelConfig, *, prefix: str = "", seed: int = 0
) -> Any:
    """Adds pool5, FC6 and FC7.

    Args:
        conv5: [batch, rows, columns, filters], the last stage of an encoder.
        model_config: Units and normalisation.
        prefix: Prefix of the layers' names, where a model has several heads.
        seed: Seed of the weights.

    Returns:
        [batch, fc7] the embedding, not negative.
    """
    x = keras.layers.MaxPooling2D(2, name=f"{prefix}pool5")(conv5)
    x = keras.layers.Flatten(name=f"{prefix}flatten")(x)
    for number, units in ((6, model_config.fc6), (7, model_config.fc7)):
        name = f"{prefix}fc{number}"
        if number == 7 and model_config.norm == "lrn":
            x = dropout.Dropout(0.5, seed, name=f"{prefix}fc6_dropout")(x)
        x = keras.layers.Dense(
            units,
            kernel_initializer=encoder.initializer(model_config.norm, seed + number),
            name=name,
        )(x)
        x = encoder.normalise(x, model_config.norm, name, local=False)
    return x


def logits(
    embedded: Any,
    num_classes: int,
    model_config: config.ModelConfig,
    *,
    prefix: str = "",
    seed: int = 0,
) -> Any:
    """Adds FC8: [batch, fc7] to [batch, num_classes] float32 logits."""
    x = embedded
    if model_config.norm == "lrn":
        x = dropout.Dropout(0.5, seed + 1, name=f"{prefix}fc7_dropout")(x)
    return keras.layers.Dense(
        num_classes,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01, seed=seed + 8),
        dtype="float32",
        name=f"{prefix}fc8",
    )(x)


def classifier(
    encoder_model: keras.Model,
    num_classes: Mapping[str, int],
    model_config: config.ModelConfig,
    *,
    seed: int,
    name: str,
) -> keras.Model:
    """Builds a network with one fully connected head per output over a shared encoder.

    Args:
        encoder_model: conv1 to conv5.
        num_classes: Output -> number of classes.
        model_config: Units and normalisation.
        seed: Seed of the heads' weights.
        name: Name of the model.

    Returns:
        A functional model from {"crop": [batch, slices, rows, columns, 1]} to logits
        [batch, classes] by output.
    """
    crop = keras.Input(encoder_model.input_shape[1:], name="crop")
    conv5 = encoder_model(crop)["conv5"]
    outputs = {}
    for number, (output, classes) in enumerate(num_classes.items()):
        options: dict[str, Any] = {"prefix": f"{output}_", "seed": seed + 100 * number}
        embedded = embedding(conv5, model_config, **options)
        outputs[output] = logits(embedded, classes, model_config, **options)
    return keras.Model({"crop": crop}, outputs, name=name)
