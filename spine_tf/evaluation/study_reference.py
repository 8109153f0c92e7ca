"""What an evaluation says of a new pair of studies: scales, quantiles, thresholds and a verdict.

`measure` writes it into evaluation.json, `Reference` reads it.
"""

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spine_tf.evaluation import pair_scores, roc

RATES = (0.1, 0.05, 0.01, 0.001)
_PROBABILITIES = (0.0, 0.001, 0.005, *(i / 100 for i in range(1, 100)), 0.995, 0.999, 1.0)


class Verdict(enum.Enum):
    """What is said of two studies."""

    SAME = "same"
    DIFFERENT = "different"
    UNCERTAIN = "uncertain"


# === Writing ===


def measure(sample: roc.Sample, scales: Sequence, num_levels: np.ndarray) -> dict[str, Any]:
    """Returns what `Reference` needs, ready for JSON.

    Args:
        sample: Pairs of studies with their scores.
        scales: For each fold, level -> median distance of different subjects.
        num_levels: [pairs] levels that each pair rests on.

    Returns:
        "same" and "different": a row per rate with the threshold, or None and a reason. At most
        the rate of negatives score at most the threshold of "same"; at most the rate of positives
        score at least that of "different". "quantiles" of both, "levels" and "level_scales".
    """
    sides = {
        "positives": _Side(sample, sample.is_positive),
        "negatives": _Side(sample, ~sample.is_positive),
    }
    found = {
        "same": [
            {"false_positive_rate": rate} | sides["negatives"].threshold(rate, "negatives", 1)
            for rate in RATES
        ],
        "different": [
            {"false_negative_rate": rate} | sides["positives"].threshold(rate, "positives", -1)
            for rate in RATES
        ],
    }
    levels = {"least": None, "median": None}
    if len(num_levels):
        levels = {"least": int(num_levels.min()), "median": float(np.median(num_levels))}
    quantiles = {name: side.quantiles() for name, side in sides.items()}
    quantiles["probability"] = list(_PROBABILITIES)
    return found | {"quantiles": quantiles, "levels": levels, "level_scales": list(scales)}


class _Side:
    """The scores of the positives, or of the negatives, in ascending order."""

    def __init__(self, sample: roc.Sample, here: np.ndarray):
        order = np.argsort(sample.distance[here], kind="stable")
        self.score = sample.distance[here][order]
        weight = sample.weight[here][order]
        self.share = weight / max(weight.sum(), 1e-300)

    def threshold(self, rate: float, what: str, sign: int) -> dict[str, Any]:
        """The last score, coming from the low (1) or high (-1) end, within a share of `rate`."""
        reason = pair_scores.too_few(len(self.score), rate, what)
        if reason:
            return {"threshold": None, "reason": reason}
        score, share = self.score[::sign], np.cumsum(self.share[::sign])
        is_last = np.append(score[1:] != score[:-1], True)
        within = np.flatnonzero(is_last & (share <= rate + 1e-12))
        if not len(within):
            return {"threshold": None, "reason": f"too many {what} share the outermost score"}
        return {"threshold": float(score[within[-1]])}

    def quantiles(self) -> list[float] | None:
        """The lowest score that each share of the pairs is at most."""
        if not len(self.score):
            return None
        place = np.searchsorted(np.cumsum(self.share) + 1e-12, _PROBABILITIES)
        return self.score[np.minimum(place, len(self.score) - 1)].tolist()


# === Reading ===


@dataclasses.dataclass(frozen=True)
class Reference:
    """What an evaluation knows of pairs of studies.

    Attributes:
        scale: Level -> median distance of different subjects, of the fold of the model.
        levels_at_least: Studies with fewer common levels are not judged.
        usual_levels: Median number of levels of the pairs of the evaluation.
        field_strengths_t: Pairs of field strengths it holds, such as "1 to 1.5".
        num_same: Pairs of one person.
        num_different: Pairs of two persons.
        num_subjects: Persons with two studies.
        same: Rows of thresholds, see `measure`.
        different: Rows of thresholds.
        quantiles: Scores at each "probability" of "positives" and "negatives".
    """

    scale: Mapping[str, float]
    levels_at_least: int
    usual_levels: float
    field_strengths_t: Sequence[str]
    num_same: int
    num_different: int
    num_subjects: int
    same: Sequence[Mapping[str, Any]]
    different: Sequence[Mapping[str, Any]]
    quantiles: Mapping[str, Sequence[float]]

    def share_closer(self, score: float, side: str) -> float:
        """Returns the share of "positives" or "negatives" that score lower."""
        scores = np.asarray(self.quantiles[side])
        probability = np.asarray(self.quantiles["probability"])
        below = np.flatnonzero(scores < score)
        if not len(below):
            return 0.0
        last = below[-1]
        if last == len(scores) - 1:
            return 1.0
        part = (score - scores[last]) / (scores[last + 1] - scores[last])
        return float(probability[last] + part * (probability[last + 1] - probability[last]))

    def near(self, false_positive_rate: float) -> float:
        """Returns the score up to which two studies are as close as those of one person.

        Raises:
            ValueError: If the evaluation has no such threshold; the message says which it has.
        """
        rows = {row["false_positive_rate"]: row for row in self.same}
        known = [f"{rate:g}" for rate, row in rows.items() if row["threshold"] is not None]
        row = rows.get(false_positive_rate, {"threshold": None, "reason": "is not in its table"})
        if row["threshold"] is None:
            raise ValueError(
                f"`false_positive_rate` must be one the evaluation has a threshold for, got"
                f" {false_positive_rate:g} ({row['reason']}). It has"
                f" {', '.join(known) or 'none'}. Evaluate on more subjects, or choose one it has."
            )
        return row["threshold"]

    def far(self, rate: float) -> Mapping[str, Any] | None:
        """Returns the row from which two studies are farther than those of one person.

        It is that of the rate or, where the evaluation has too few positives for it, of the next
        larger one that it has; None if it has none.
        """
        rows = [row for row in self.different if row["threshold"] is not None]
        rows = [row for row in rows if row["false_negative_rate"] >= rate]
        return min(rows, key=lambda row: row["false_negative_rate"], default=None)

    def verdict(self, score: float, false_positive_rate: float) -> Verdict:
        """Returns what the score says; uncertain where it is neither or both."""
        is_near = score <= self.near(false_positive_rate)
        row = self.far(false_positive_rate)
        is_far = row is not None and score >= row["threshold"]
        if is_near == is_far:
            return Verdict.UNCERTAIN
        return Verdict.SAME if is_near else Verdict.DIFFERENT


def from_results(results: Mapping[str, Any], fold: int) -> Reference:
    """Reads the results of an evaluation of the longitudinal task.

    Args:
        results: "results" of evaluation.json.
        fold: Place of the model among those that were evaluated.

    Raises:
        ValueError: If it cannot judge pairs of studies; the message says why.
    """
    found = results.get("study_verification", {}).get("model")
    if found is None:
        raise ValueError("the evaluation says nothing of studies. Run spine-tf evaluate again.")
    if found["auc"]["value"] is None:
        raise ValueError(
            f"the evaluation cannot judge two studies: {found['auc']['reason']}. Evaluate on more"
            " subjects with follow-ups."
        )
    return Reference(
        scale=found["level_scales"][fold],
        levels_at_least=found["levels_at_least"],
        usual_levels=found["levels"]["median"],
        field_strengths_t=list(found["per_field_strengths_t"]),
        num_same=found["auc"]["positives"],
        num_different=found["auc"]["negatives"],
        num_subjects=found["auc"]["subjects"],
        same=found["same"],
        different=found["different"],
        quantiles=found["quantiles"],
    )
