"""Longitudinal pretext: are two crops of one person? And which level is it?

Source: Jamaludin 2017, sections 3.1 and 4.1; methods 1.4 to 1.6.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
import tqdm

from spine_tf import config, header_facts, levels
from spine_tf.data import augmentation, crops, pairs, records, schema, splits
from spine_tf.losses import balanced_cross_entropy, contrastive
from spine_tf.metrics import balanced_accuracy, pair_auc, pair_distance
from spine_tf.models import heads
from spine_tf.tasks import task

LEVEL_NAMES = tuple(level.value for level in levels.LUMBAR_VERTEBRAE)
# Anatomy -> kind of record; and its levels, where they are known before the data are.
_RECORD_KINDS = {
    "vertebra": schema.VERTEBRA_PAIRS,
    "disc": schema.DISC_PAIRS,
    "image": schema.IMAGE_PAIRS,
}
_LEVEL_NAMES = {
    "vertebra": LEVEL_NAMES,
    "disc": tuple(level.value for level in levels.LUMBAR_DISCS),
}
_MEDIAN, _DISTANCE = "median", "distance"
_CALIBRATION_NEGATIVES, _CALIBRATION_BATCHES = 512, 64  # whichever comes first
_AUC = "val_same_subject/auc"
_ACTIVE = "val_same_subject/active_negatives"
_SPREAD = "val_same_subject/embedding_spread"


class PairDistances(keras.layers.Layer):
    """Distances [batch, all] of the embeddings [batch, units] to those of the whole batch.

    Where a batch is split over devices, the embeddings of all of them are gathered, so that no pair
    is lost and the result does not depend on how many there are.
    """

    def call(self, inputs):
        mine = tf.cast(inputs, tf.float32)
        every = mine
        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            every = context.all_gather(mine, axis=0)
        return contrastive.pair_distance(mine[:, None], every[None])

    def compute_output_shape(self, input_shape):
        return (input_shape[0], None)


@dataclasses.dataclass(frozen=True)
class Longitudinal(task.Task):
    """Siamese training on crops of one subject at two times.

    Attributes:
        anatomy: What the pairs are of: vertebra (the paper's), disc, or image for plain 2-D images.
        mode: sampled (the paper's: as many negatives as positives) or all: every valid pair of the
            batch, so that N crops give up to N^2 / 4 pairs.
        baseline_only: Whether subjects of a single visit are the earlier side of negatives. They
            take two of eight places, so that batches are of a multiple of 8 crops.
        margin: Margin of the contrastive loss, in `margin_unit`.
        margin_unit: median: times the median distance of negatives before training, because FC7
            has no scale of its own; the share of the loss is then divided by the margin's square,
            so that it starts as large as the level loss. Or distance: as it is.
        min_interval_days: Visits closer than this are no positive pair.
        contrastive_weight: Share of the contrastive loss; 0 leaves the level loss alone.
        level_weight: Share of the level loss; 0 leaves the contrastive loss alone.
        header_facts: Further heads: sex, age, weight, where the records hold them.
        level_names: Levels, or labels of plain images; filled in from the records.
        image_size: Rows and columns of plain images; filled in from the records.
    """

    anatomy: str = "vertebra"
    mode: str = pairs.SAMPLED
    baseline_only: bool = False
    margin: float = 1.25
    margin_unit: str = _MEDIAN
    min_interval_days: int = pairs.DEFAULT_MIN_INTERVAL_DAYS
    contrastive_weight: float = 1.0
    level_weight: float = 1.0
    header_facts: tuple[str, ...] = ()
    level_names: tuple[str, ...] = ()
    image_size: tuple[int, ...] = ()

    protocol = splits.LONGITUDINAL
    checked_splits = splits.SPLITS  # a level without a pair in test could not be evaluated

    def __post_init__(self):
        for name, allowed in (
            ("anatomy", tuple(_RECORD_KINDS)),
            ("mode", (pairs.SAMPLED, pairs.ALL)),
            ("margin_unit", (_MEDIAN, _DISTANCE)),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"`{name}` must be {' or '.join(allowed)}, got {getattr(self, name)!r}."
                )
        if self.min_interval_days < 1:
            raise ValueError(
                "`min_interval_days` must be at least 1, because two series of one study are no"
                f" pair, got {self.min_interval_days!r}."
            )
        if not self.margin > 0:
            raise ValueError(f"`margin` must be positive, got {self.margin!r}.")
        shares = (self.contrastive_weight, self.level_weight)
        if min(shares) < 0 or not max(shares):
            raise ValueError(
                "`contrastive_weight` and `level_weight` must not be negative and not both 0, got"
                f" {shares[0]!r} and {shares[1]!r}."
            )
        object.__setattr__(
            self, "header_facts", header_facts.parse_names(",".join(self.header_facts))
        )
        names = tuple(self.level_names) or _LEVEL_NAMES.get(self.anatomy, ())
        object.__setattr__(self, "level_names", names)
        object.__setattr__(self, "image_size", tuple(self.image_size))

    @property
    def record_kind(self) -> str:
        return _RECORD_KINDS[self.anatomy]

    @property
    def crop_kind(self) -> crops.CropKind:
        if self.anatomy == "image":
            return crops.image_kind(*self.image_size)
        return schema.CROP_KINDS[self.record_kind]

    # === What it needs of the records ===

    def configure(self, index: records.Index) -> "Longitudinal":
        names = self.level_names or tuple(sorted(set(index.column("level"))))
        _check_levels(index, names)
        self._check_facts(index)
        size: tuple[int, ...] = ()
        if self.anatomy == "image":
            size = (index.known_crop_kind.rows, index.known_crop_kind.columns)
        return dataclasses.replace(self, level_names=names, image_size=size)

    def check(self, indices: Mapping[str, records.Index]) -> None:
        seen = set(indices["train"].column("level"))
        for split, index in indices.items():
            _check_levels(index, self.level_names)
            found = pairs.positives(index, self.min_interval_days)
            paired = {index.rows[record]["level"] for record in found[:, 0]}
            if not paired:
                raise ValueError(
                    f"`data_dir` must hold follow-ups at least {self.min_interval_days} days apart"
                    f" in the {split} split, got none. {self._more_follow_ups(index)}"
                )
            missing = [name for name in self.level_names if name in seen - paired]
            if missing:
                raise ValueError(
                    f"`data_dir` must hold a positive pair at every level of the {split} split, got"
                    f" none at {', '.join(missing)}. Convert more follow-ups."
                )
            if not self.level_weight and not pairs.have_negatives(index, found):
                raise ValueError(
                    "`data_dir` must hold pairs of two families at one level with the same field"
                    f" strengths in the {split} split where `level_weight` is 0, got none: there is"
                    " nothing to tell apart. Convert more follow-ups, or give a `level_weight`."
                )

    def _more_follow_ups(self, index: records.Index) -> str:
        """What to do where no two visits are far enough apart."""
        if self.min_interval_days == 1 or not len(pairs.positives(index, 1)):
            return "Convert subjects with two or more visits."
        return (
            "Convert later visits, or count closer ones, too:"
            " --task_options='{\"min_interval_days\": 1}'."
        )

    def _check_facts(self, index: records.Index) -> None:
        for name in self.header_facts:
            if not sum(_fact_counts(index, name)):
                raise ValueError(
                    f"`header_facts` must be in the records, got none with {name!r}. Convert with"
                    f" --header_facts={name}."
                )

    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        found = index.column("level")
        counts = {"level": [found.count(name) for name in self.level_names]}
        return counts | {name: _fact_counts(index, name) for name in self.header_facts}

    def plan(self, index: records.Index, batch_size: int, seed: int) -> np.ndarray:
        found = pairs.positives(index, self.min_interval_days)
        codes = np.array([self.level_names.index(name) for name in index.column("level")], int)
        alone = [number for number, row in enumerate(index.rows) if len(row["visit"]) == 1]
        alone = np.array(alone if self.baseline_only else [], int)
        members = pairs.Members(found, codes[found[:, 0]], alone, codes[alone])
        return pairs.plan(members, batch_size, seed)

    # === What the network sees ===

    def preprocess(
        self, example: task.Tensors, inputs: augmentation.InputConfig, seed: tf.Tensor
    ) -> task.Tensors:
        visit, side = example["item"][0], example["item"][1]
        crop = augmentation.record_input(example, visit, self.crop_kind, inputs, seed)
        facts = {name: example[f"header/{name}"][visit] for name in self.header_facts}
        return facts | {
            "crop": crop,
            "side": side,
            "visit": visit,
            "level": tf.argmax(tf.constant(self.level_names) == example["level"], 0, tf.int32),
            "subject": example["subject"],
            "family": example["family"],
            "days": example["days"][visit],
            "field_strength_t": example["field_strength_t"][visit],
        }

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        names = ("level", "subject", "family", "visit", "days", "field_strength_t", "side")
        is_same, counts = pairs.pair_matrix(
            *(batch[name] for name in names),
            mode=self.mode,
            min_interval_days=self.min_interval_days,
            seed=seed,
        )
        crop, level = batch["crop"], batch["level"]
        if training:
            # One draw per level: else positives always agree in reflection and negatives do not.
            draws = tf.random.stateless_uniform([len(self.level_names)], seed + 1)
            crop = augmentation.reflect(crop, tf.gather(draws < 0.5, level))
        labels = {"same_subject": is_same, "level": level}
        weights = {"same_subject": counts, "level": tf.ones_like(level, tf.float32)}
        for name in self.header_facts:
            labels[name] = tf.cast(batch[name], tf.int32)
            weights[name] = tf.cast(batch[name] >= 0, tf.float32)
        return task.Batch({"crop": crop[..., None]}, labels, weights)

    def calibrate(
        self, build: Callable[[], keras.Model], batches: Iterator[task.Batch]
    ) -> "Longitudinal":
        if self.margin_unit == _DISTANCE or not self.contrastive_weight:
            return self
        distances = _distances_of_negatives(build(), batches)
        if not len(distances):
            raise ValueError(
                "`data_dir` must hold negatives: two families at one level with the same pair of"
                " field strengths in the training split, got none. Convert more subjects."
            )
        wanted = self.margin * float(np.median(distances))
        margin = round(wanted, 4) or wanted
        return dataclasses.replace(
            self,
            margin=margin,
            margin_unit=_DISTANCE,
            contrastive_weight=self.contrastive_weight / margin**2,
        )

    # === The model ===

    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        tower = self._tower(encoder, model_config, seed)
        crop = keras.Input(encoder.input_shape[1:], name="crop")
        found = dict(tower(crop))
        outputs = {"same_subject": PairDistances(name="distances")(found.pop("embedding"))}
        return keras.Model({"crop": crop}, outputs | found, name="longitudinal")

    def _tower(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        crop = keras.Input(encoder.input_shape[1:], name="crop")
        embedded = heads.embedding(encoder(crop)["conv5"], model_config, seed=seed)
        level = heads.logits(embedded, len(self.level_names), model_config, seed=seed)
        outputs = {"embedding": embedded, "level": level}
        for number, name in enumerate(self.header_facts):
            outputs[name] = heads.logits(
                embedded,
                header_facts.FACTS[name].num_classes,
                model_config,
                prefix=f"{name}_",
                seed=seed + 100 * (number + 1),
            )
        return keras.Model(crop, outputs, name="tower")

    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        # Before `calibrate` the margin only serves to build the loss.
        same = contrastive.ContrastiveLoss(self.margin)
        return {"same_subject": same} | {
            name: balanced_cross_entropy.BalancedCrossEntropy(statistics.class_counts[name])
            for name in ("level", *self.header_facts)
        }

    def loss_weights(self) -> dict[str, float]:
        return {"same_subject": self.contrastive_weight, "level": self.level_weight}

    # === What is watched ===

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        classes = {"level": len(self.level_names)}
        classes |= {name: header_facts.FACTS[name].num_classes for name in self.header_facts}
        watched = [
            pair_auc.PairAuc(self.margin),
            pair_distance.MeanDistance(is_same=True),
            pair_distance.MeanDistance(is_same=False),
            pair_distance.ActiveNegatives(self.margin),
            pair_distance.EmbeddingSpread(),
        ]
        return {"same_subject": watched} | {
            name: [balanced_accuracy.BalancedAccuracy(count)] for name, count in classes.items()
        }

    def alarms(self, history: Sequence[Mapping[str, float]]) -> list[str]:
        """Says where the embedding collapses or training stands still (methods P13)."""
        if not self.contrastive_weight:
            return []
        latest, found = history[-1], []
        if len(history) == 1 and math.isnan(latest.get(_AUC, math.nan)):
            found.append("the validation split has no negatives, so no pair AUC can be told")
        if latest.get(_SPREAD, 1.0) < 1e-3:
            found.append(f"the embedding collapses: its spread is {latest[_SPREAD]:.2g}")
        recent = [row.get(_ACTIVE, 1.0) for row in history[-5:]]
        if len(recent) == 5 and max(recent) < 0.01:
            found.append("fewer than 1 % of negatives are inside the margin for 5 epochs")
        if len(history) >= 20 and latest.get(_AUC, 1.0) < 0.55:
            found.append(f"the pair AUC is {latest[_AUC]:.3f} after {len(history)} epochs")
        return found


def _distances_of_negatives(model: keras.Model, batches: Iterator[task.Batch]) -> np.ndarray:
    """Distances that a model gives the negatives of the first batches."""
    bar = tqdm.tqdm(
        total=_CALIBRATION_NEGATIVES,
        desc="setting the margin",
        unit=" negatives",
        disable=None,
        leave=False,
    )
    found = np.empty(0)
    with bar:
        for inputs, labels, weights in itertools.islice(batches, _CALIBRATION_BATCHES):
            distance = model(inputs, training=True)["same_subject"].numpy()
            is_same, counts = labels["same_subject"].numpy(), weights["same_subject"].numpy()
            found = np.append(found, distance[(is_same == 0) & (counts > 0)])
            bar.update(min(len(found), _CALIBRATION_NEGATIVES) - bar.n)
            if len(found) >= _CALIBRATION_NEGATIVES:
                break
    return found


def _check_levels(index: records.Index, names: Sequence[str]) -> None:
    unknown = sorted(set(index.column("level")) - set(names))
    if unknown:
        raise ValueError(
            f"`level_names` must hold every level of the records, got {', '.join(names)} without"
            f" {', '.join(unknown)}. Name all of them, or leave those records out."
        )


def _fact_counts(index: records.Index, name: str) -> list[int]:
    """How many visits are of each class of a fact of the header."""
    values = [value for row in index.rows for value in row.get("header_facts", {}).get(name, ())]
    return [values.count(c) for c in range(header_facts.FACTS[name].num_classes)]
