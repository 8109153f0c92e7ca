"""The Siamese and the classification model that are drawn, built as training builds them."""

import dataclasses
from collections.abc import Mapping, Sequence

import keras

from benchmarks.figures import layers
from spine_tf import config
from spine_tf.data import crops, records
from spine_tf.tasks import task
from spine_tf.tasks.downstream import grading
from spine_tf.tasks.pretext import longitudinal
from spine_tf.training import model_folder

GRADING = "disc_degeneration"
PAIR_OUTPUT = "same_subject"
_ONE_OF_EACH = 1  # labels per class: the losses' names do not depend on them


@dataclasses.dataclass(frozen=True)
class Branch:
    """One branch of a model and what it is trained by.

    Attributes:
        input_shape: (slices, rows, columns, 1) of a crop.
        encoder: Blocks of conv1 to conv5.
        head: Blocks after the encoder: pool5, FC6, FC7, FC8.
        losses: Output -> name of its loss.
        num_weights: Number of weights of the branch.
    """

    input_shape: tuple[int, ...]
    encoder: Sequence[layers.Block]
    head: Sequence[layers.Block]
    losses: Mapping[str, str]
    num_weights: int

    @property
    def blocks(self) -> list[layers.Block]:
        """All blocks from the input on."""
        return [*self.encoder, *self.head]


def siamese(model_config: config.ModelConfig) -> Branch:
    """Returns the branch that both vertebral bodies of a pair go through."""
    names = longitudinal.LEVEL_NAMES
    made = longitudinal.Longitudinal(level_names=names)
    statistics = _statistics({"level": [_ONE_OF_EACH] * len(names)})
    model = model_folder.build_model(made, model_config, statistics, seed=0)
    return _branch(model, model.get_layer("tower"), made, statistics)


def classifier(model_config: config.ModelConfig) -> Branch:
    """Returns the classification network, its encoder frozen as `train --freeze_encoder` does."""
    made = grading.Grading(gradings=(GRADING,))
    statistics = _statistics({GRADING: [_ONE_OF_EACH] * 4})
    model = model_folder.build_model(made, model_config, statistics, seed=0)
    model_folder.find_encoder(model).trainable = False
    return _branch(model, model, made, statistics)


def transferred(source: Branch, target: Branch) -> list[str]:
    """Returns the layers of `target`'s encoder that take their weights from `source`'s.

    Raises:
        ValueError: If the weights of a layer do not fit.
    """
    found = {block.name: block.weights for block in source.encoder}
    names = [block.name for block in target.encoder if block.weights]
    for block in target.encoder:
        if block.weights != found[block.name]:
            raise ValueError(
                f"`{block.name}` must have weights {found[block.name]}, got {block.weights}."
            )
    return names


def _statistics(class_counts: Mapping[str, Sequence[int]]) -> records.Statistics:
    return records.Statistics(class_counts, {}, [0.0] * crops.STORED_SLICES)


def _branch(
    model: keras.Model, tower: keras.Model, made: task.Task, statistics: records.Statistics
) -> Branch:
    encoder = model_folder.find_encoder(model)
    return Branch(
        input_shape=tuple(encoder.input_shape[1:]),
        encoder=layers.walk(encoder.layers),
        head=layers.walk(tower.layers),
        losses={name: loss.name for name, loss in made.losses(statistics).items()},
        num_weights=tower.count_params(),
    )
