"""What comparing two studies says, as text and as JSON."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from data_prep import study
from export import report, verify_judge
from spine_tf.evaluation import study_reference

FORMAT = "spine_tf verify/1"
_NAMES = ("study_a", "study_b")


@dataclasses.dataclass(frozen=True)
class Report:
    """What comparing two studies gave.

    Attributes:
        judge: Model and evaluation.
        studies: Both studies.
        distances: Level -> distance.
        score: Mean over the levels of the distance in units of different persons' median.
        notes: What a reader should know.
    """

    judge: verify_judge.Judge
    studies: Sequence[study.Study]
    distances: Mapping[str, float]
    score: float
    notes: Sequence[str]

    @property
    def verdict(self) -> study_reference.Verdict:
        """Same, different or uncertain."""
        return self.judge.reference.verdict(self.score, self.judge.false_positive_rate)

    @property
    def exit_status(self) -> int:
        """3 if a file of a study could not be used, else 0."""
        return 3 if any(found.rejections for found in self.studies) else 0

    @property
    def closer(self) -> dict[str, float]:
        """Share of the pairs of the evaluation that are closer, of "positives", "negatives"."""
        sides = ("positives", "negatives")
        return {side: self.judge.reference.share_closer(self.score, side) for side in sides}

    def to_json(self) -> dict[str, Any]:
        """Returns the content of the output file."""
        judge, reference = self.judge, self.judge.reference
        studies = {
            name: {
                "study_instance_uid": found.study_instance_uid,
                "series_instance_uid": found.series.uid,
            }
            for name, found in zip(_NAMES, self.studies, strict=True)
        }
        return studies | {
            "format": FORMAT,
            "notice": report.NOTICE,
            "verdict": self.verdict.value,
            "score": self.score,
            "share_of_different_persons_closer": self.closer["negatives"],
            "share_of_same_person_closer": self.closer["positives"],
            "false_positive_rate": judge.false_positive_rate,
            "same_up_to": reference.near(judge.false_positive_rate),
            "different_from": reference.far(judge.false_positive_rate),
            "levels": [
                {"level": name, "distance": value, "relative": value / reference.scale[name]}
                for name, value in self.distances.items()
            ],
            "notes": list(self.notes),
            "evaluation": _origin(judge),
        }

    def __str__(self) -> str:
        judge, reference = self.judge, self.judge.reference
        lines = [
            f"{name}: study {found.study_instance_uid}, series {found.series.uid}"
            for name, found in zip(_NAMES, self.studies, strict=True)
        ]
        lines += [f"rejected: {item}" for found in self.studies for item in found.rejections]
        lines.append(f"{'level':8}{'distance':>9}{'relative':>10}")
        for name, value in self.distances.items():
            lines.append(f"{name:8}{value:9.3f}{value / reference.scale[name]:10.3f}")
        lines += [
            f"score {self.score:.3f}, the mean of {len(self.distances)} relative distances; 1 is"
            " the median of different persons",
            f"{100 * self.closer['negatives']:.1f} % of {reference.num_different} different-person"
            f" pairs and {100 * self.closer['positives']:.1f} % of {reference.num_same} same-person"
            " pairs of the evaluation are closer",
            f"verdict: {self.verdict.value} ({self._limits()})",
        ]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, f"rests on: {_rests_on(judge)}", report.NOTICE])

    def _limits(self) -> str:
        rate, reference = self.judge.false_positive_rate, self.judge.reference
        text = (
            f"same up to {reference.near(rate):.3f}, reached by {rate:g} of different-person pairs"
        )
        row = reference.far(rate)
        if row is None:
            return f"{text}; the evaluation has too few same-person pairs to call two different"
        return (
            f"{text}; different from {row['threshold']:.3f}, reached by"
            f" {row['false_negative_rate']:g} of same-person pairs"
        )


def _origin(judge: verify_judge.Judge) -> dict[str, Any]:
    names = ("split", "protocols", "manifest_sha256")
    return {name: judge.evaluation[name] for name in names} | {
        "weights_sha256": judge.weights_sha256,
        "source_of_training": judge.folder.data["source"],
        "pairs_of_same_person": judge.reference.num_same,
        "pairs_of_different_persons": judge.reference.num_different,
        "persons": judge.reference.num_subjects,
    }


def _rests_on(judge: verify_judge.Judge) -> str:
    found = _origin(judge)
    return (
        f"evaluation of {found['persons']} persons ({found['split']};"
        f" {', '.join(found['protocols'])}), weights {found['weights_sha256'][:12]}..., trained on"
        f" {found['source_of_training']} data"
    )
