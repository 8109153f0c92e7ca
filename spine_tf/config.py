"""Configurations: what a model and a training run are made of. No TensorFlow here."""

import dataclasses
import math
from typing import Any

from spine_tf import flag_field

VGG_M, SONONET, SONONET_6, UNET = "vgg-m", "sononet", "sononet-6", "unet"
NETWORKS = (VGG_M, SONONET, SONONET_6, UNET)
NORMS = ("lrn", "batch", "none")
STRATEGIES = ("one", "mirrored", "multiworker", "auto")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
HOST, DEVICE = "host", "device"
PLATEAU, COSINE = "plateau", "cosine"

# The names of spine_tf/tasks/__init__.py, which imports TensorFlow.
TASKS = (
    "longitudinal",
    "strong",
    "context_restoration",
    "autoencoder",
    "relative_positions",
    "jigsaw",
    "context_prediction",
    "grading",
    "segmentation",
    "classification",
    "localisation",
    "detection",
)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Size of the network.

    Attributes:
        crop_scale: Scale of the crops it sees; 1 is 224x224 for a VB and 112x224 for an IVD.
        width: Multiple of the filter counts: 96, 256, 512, 512, 512 of VGG-M; 64 in the first block
            of SonoNet and U-Net.
        fc6: Units of FC6, and of the layer over the tiles of an image.
        fc7: Units of FC7, the embedding.
        norm: "lrn" (as VGG-M, with dropout 0.5 after FC6 and FC7), "batch" or "none".
        conv4_padding: In-plane zero padding of conv4; 0 is the literal reading of the paper.
        network: "vgg-m" (3-D, over crops of bodies and discs); of 2-D images "sononet", "sononet-6"
            (a sixth block, for localisation) or "unet".

    norm, fc7 and conv4_padding are VGG-M's alone.

    Source: Jamaludin 2017, section 3; Chen 2019; methods 1.3, 3.5 to 3.7.
    """

    crop_scale: float = 1.0
    width: float = 1.0
    fc6: int = 4096
    fc7: int = 1024
    norm: str = "batch"
    conv4_padding: int = 0
    network: str = VGG_M

    def __post_init__(self):
        if self.network not in NETWORKS:
            raise ValueError(
                f"`network` must be one of {', '.join(NETWORKS)}, got {self.network!r}."
            )
        if self.crop_scale not in (1.0, 0.5):
            raise ValueError(f"`crop_scale` must be 1 or 0.5, got {self.crop_scale!r}.")
        if not self.width > 0:
            raise ValueError(f"`width` must be positive, got {self.width!r}.")
        if self.norm not in NORMS:
            raise ValueError(f"`norm` must be one of {', '.join(NORMS)}, got {self.norm!r}.")
        for name in ("fc6", "fc7"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)!r}.")
        if self.conv4_padding not in (0, 1):
            raise ValueError(f"`conv4_padding` must be 0 or 1, got {self.conv4_padding!r}.")

    @property
    def filters(self) -> tuple[int, ...]:
        """Filters of conv1 to conv5."""
        return tuple(max(1, round(n * self.width)) for n in (96, 256, 512, 512, 512))


_HALF: dict[str, Any] = dict(crop_scale=0.5, conv4_padding=1)
PRESETS = {
    "paper": ModelConfig(norm="lrn"),
    "full": ModelConfig(),
    "small": ModelConfig(width=1 / 4, fc6=512, fc7=256, **_HALF),
    "tiny": ModelConfig(width=1 / 8, fc6=256, fc7=128, **_HALF),
} | {
    f"{network}-{round(64 * width)}": ModelConfig(network=network, width=width, fc6=1024)
    for network in (SONONET, SONONET_6, UNET)
    for width in (1.0, 0.5, 0.25)
}


def preset(name: str) -> ModelConfig:
    """Returns the model configuration called `name`.

    Raises:
        ValueError: If there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"`preset` must be one of {', '.join(PRESETS)}, got {name!r}.")
    return PRESETS[name]


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How a model is trained. Each field is a flag of `train`.

    Source: Jamaludin 2017, section 4; methods 1.7 (the paper's rates are for its full network
    without batch norm: 1e-5 for the Siamese stage, 1e-3 for grading).
    """

    epochs: int = flag_field.option(30, "Epochs to train at most.")
    batch_size: int = flag_field.option(
        32, "Crops of one step over all devices; 32 crops are the paper's 32 pairs."
    )
    learning_rate: float = flag_field.option(1e-3, "Learning rate at the start.")
    optimizer: str = flag_field.option(
        "sgd",
        "sgd (momentum 0.9), adam, adamw or another of Keras in lower case; or addons:NAME for an"
        " optimizer of tensorflow-addons.",
    )
    weight_decay: float = flag_field.option(
        5e-4, "L2 in the gradient of kernels: decay times the weight."
    )
    schedule: str = flag_field.option(
        PLATEAU,
        "How the rate falls: plateau, where the validation loss does not, and the best epoch is"
        " kept; cosine, from epoch to epoch towards 0, and the last epoch is kept, for validation"
        " data that are too few to choose by.",
        choices=(PLATEAU, COSINE),
    )
    patience: int = flag_field.option(
        10, "Of a plateau: epochs without progress before the rate is divided by 10."
    )
    min_delta: float = flag_field.option(
        1e-4,
        "Of a plateau: the least fall of the loss that is progress; below 0 it may rise so much.",
    )
    max_drops: int = flag_field.option(
        1, "Of a plateau: times the rate is divided; the next plateau stops the run."
    )
    augment: bool = flag_field.option(
        True,
        "Rotate, shift, scale, brighten and reflect the crops; tasks with an option `augment` only"
        " where that is true.",
    )
    augment_strength: float = flag_field.option(
        1.0, "Share of the paper's ranges of rotation, shift, scale and intensity."
    )
    augment_on: str = flag_field.option(
        HOST,
        "Where crops are cut and augmented: host, in the input pipeline, beside the step; device,"
        " on the first GPU, for GPUs that wait for their input.",
        choices=(HOST, DEVICE),
    )
    strategy: str = flag_field.option(
        "one",
        "Devices: one; mirrored over all visible GPUs; multiworker over the machines that TF_CONFIG"
        " names; auto is what there is.",
        choices=STRATEGIES,
    )
    precision: str = flag_field.option(
        "float32",
        "What layers compute in; weights stay float32. mixed_float16 needs a GPU and scales the"
        " loss.",
        choices=PRECISIONS,
    )
    xla: bool = flag_field.option(False, "Compile the step with XLA; on one device.")
    accumulate_steps: int = flag_field.option(
        1, "Batches whose mean gradient makes one update; pairs are those of one batch."
    )
    clip_norm: float = flag_field.option(
        0.0, "Largest norm of the gradient of a batch; 0 is no limit."
    )
    steps_per_epoch: int = flag_field.option(
        0, "Steps of an epoch, over a part of the data or over all of it again; 0 is one pass."
    )
    checkpoint_steps: int = flag_field.option(0, "Steps between checkpoints; 0 is one per epoch.")
    feature_draws: int = flag_field.option(
        10,
        "Draws of augmented features that are computed once and reused over epochs when the"
        " encoder is frozen; 0 computes them anew every epoch.",
    )
    reestimate_batches: int = flag_field.option(
        200,
        "Batches that batch norm sees before the first step with --init_from: its statistics become"
        " those of the new images. 0 keeps the old ones, and so does --freeze_encoder.",
    )
    keep_checkpoints: int = flag_field.option(2, "Checkpoints kept.")
    seed: int = flag_field.option(0, "Seed of weights, order, pairs and augmentation.")

    def __post_init__(self):
        ones = ("epochs", "batch_size", "patience", "keep_checkpoints", "accumulate_steps")
        for name in ones:
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)!r}.")
        counts = ("steps_per_epoch", "checkpoint_steps", "feature_draws", "max_drops")
        for name in (*counts, "reestimate_batches", "weight_decay", "clip_norm"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)!r}.")
        if not 0 < self.augment_strength <= 1:
            raise ValueError(
                "`augment_strength` must be above 0 and at most 1, got"
                f" {self.augment_strength!r}. Give --noaugment for none."
            )
        if not self.learning_rate > 0:
            raise ValueError(f"`learning_rate` must be positive, got {self.learning_rate!r}.")
        for name, choices in (
            ("strategy", STRATEGIES),
            ("precision", PRECISIONS),
            ("augment_on", (HOST, DEVICE)),
            ("schedule", (PLATEAU, COSINE)),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(choices)}, got {getattr(self, name)!r}."
                )

    @property
    def least_fall(self) -> float:
        """The least fall of the monitored loss that is progress; of cosine every epoch is."""
        return -math.inf if self.schedule == COSINE else self.min_delta
