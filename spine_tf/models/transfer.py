"""Weights of a pretext model as the start of a downstream model.

Source: Chen 2019: relative positions and jigsaw give the analysis part only; restoration,
autoencoder and context prediction also the reconstruction part, where the downstream network has
the same; methods 3.2 and 3.3. The last layer is always new. Batch norm moves with its statistics.
"""

from collections.abc import Collection

import keras

from spine_tf.models import unet

_ENCODER = "encoder"
_DECODER = "decoder_"
_NORM = "_norm"


def copy_weights(
    source: keras.Model, target: keras.Model, *, with_decoder: bool
) -> tuple[str, ...]:
    """Copies the weights of the layers that both models have.

    A convolution of the decoder whose shape differs (the first of a level, where only one of the
    models concatenates) stays new, and its batch norm with it.

    Args:
        source: Pretext model, with a layer called "encoder" in it, at any depth.
        target: Downstream model, likewise.
        with_decoder: Whether the reconstruction part is copied too.

    Returns:
        Names of the layers that were copied, as encoder/conv1_1 or decoder_conv1_1.

    Raises:
        ValueError: If a layer of the target's encoder is not in the source's or has another shape;
            nothing is copied then.
    """
    old, new = layers_by_name(source), layers_by_name(target)
    encoder = [name for name in new if name.startswith(f"{_ENCODER}/")]
    wrong = [name for name in encoder if not _fits(name, old, new)]
    if wrong or not encoder:
        more = f" and {len(wrong) - 2} more layers" if len(wrong) > 2 else ""
        raise ValueError(
            f"`source` must have the encoder of `target`, got one that differs in"
            f" {', '.join(wrong[:2]) or 'having none to copy to'}{more}. Give the same network,"
            " width and channels."
        )
    moved = encoder + [
        name
        for name in (new if with_decoder else ())
        if name.startswith(_DECODER) and name != unet.OUTPUT and _fits(name, old, new)
    ]
    for name in moved:
        new[name].set_weights(old[name].get_weights())
    return tuple(moved)


def new_layers(model: keras.Model, copied: Collection[str]) -> tuple[str, ...]:
    """Returns the names of the layers with weights that were not copied.

    Args:
        model: The target of `copy_weights`.
        copied: What that returned.
    """
    return tuple(name for name in layers_by_name(model) if name not in copied)


def layers_by_name(model: keras.Model, prefix: str = "") -> dict[str, keras.layers.Layer]:
    """Returns every layer with weights by name; those of the encoder as encoder/NAME."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            inner = f"{_ENCODER}/" if layer.name == _ENCODER else prefix
            found |= layers_by_name(layer, inner)
        elif layer.weights:
            found[prefix + layer.name] = layer
    return found


def _fits(name: str, old: dict, new: dict) -> bool:
    """Whether a layer, and the one that it normalises, has the same shapes in both."""
    normalised = name.removesuffix(_NORM)
    return all(_shapes(old.get(each)) == _shapes(new.get(each)) for each in {name, normalised})


def _shapes(layer: keras.layers.Layer | None) -> list[tuple[int, ...]] | None:
    """Shapes of a layer's weights; None of no layer."""
    return None if layer is None else [tuple(weight.shape) for weight in layer.weights]
