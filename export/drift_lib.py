"""A table of scored discs against the training set of the model: drift.json and drift.html."""

import collections
import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from export import (
    drift_groups,
    drift_page,
    drift_stats,
    drift_words,
    saved_model,
    score_columns,
    score_files,
)
from spine_tf import calibrated, files, reference

JSON, HTML = "drift.json", "drift.html"
FORMAT = "spine_tf drift/1"
_KEPT_DIGITS = 6


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        content: Content of drift.json.
        groups: All groups that were compared.
        paths: The files that were written.
    """

    content: Mapping[str, Any]
    groups: Sequence[drift_groups.Group]
    paths: Sequence[str]

    def exit_status(self, fail_on: str) -> int:
        """Returns 3 if a group moved as much as `fail_on` (never, slight or moved) says; else 0."""
        statuses = {group.status for group in self.groups}
        if fail_on == drift_groups.SLIGHT:
            return 3 if statuses & {drift_groups.SLIGHT, drift_groups.MOVED} else 0
        return 3 if fail_on in statuses else 0

    def __str__(self) -> str:
        return "\n".join([*self.content["conclusion"], *self.paths])


def drift(scored: str, model: str, output_dir: str) -> Report:
    """Compares scored discs with the training set and writes drift.json and drift.html.

    Args:
        scored: Table of `spine-tf score`.
        model: The model that scored them: an export folder (its newest version) or one version.
        output_dir: Where the files go; made if missing.

    Returns:
        What was found.

    Raises:
        FileNotFoundError: If the table or the model is not there.
        ValueError: If the model is not calibrated, or the table holds no disc that it scored.
    """
    version = saved_model.find_version(model)
    info = saved_model.read_info(version)
    known = _reference_rows(version, info)
    table, counts = _read(scored, saved_model.version_of(version, info), info)
    sample = _sample_rows(table, known)
    groups = drift_groups.judge(known, sample)
    blamed = drift_groups.blame(known, sample, groups)
    content = {
        "format": FORMAT,
        "model_version": saved_model.version_of(version, info),
        "conclusion": drift_words.conclusion(groups, blamed),
        "moved": [{"kind": group.kind, "name": group.name} for group in blamed],
        "everything_moved": drift_groups.is_whole(groups),
        "counts": counts | {"scans": sample.num_scans, "training_discs": len(known)},
        "rules": {
            "psi_slight": drift_stats.SLIGHT,
            "psi_moved": drift_stats.LARGE,
            "alpha_of_all_tests": drift_groups.ALPHA,
            "least_scans": drift_groups.LEAST_SCANS,
            "least_training_discs": drift_groups.LEAST_REFERENCE,
        },
        "groups": [_to_json(group, _shares(table, group)) for group in groups],
    }
    os.makedirs(output_dir, exist_ok=True)
    paths = [os.path.join(output_dir, name) for name in (JSON, HTML)]
    files.write_json(paths[0], content)
    page = drift_page.to_html(content, groups, blamed, known, sample)
    with files.atomic_write(paths[1]) as file:
        file.write(page)
    return Report(content, groups, paths)


def _reference_rows(version: str, info: Mapping[str, Any]) -> drift_groups.Rows:
    path = os.path.join(version, os.path.dirname(saved_model.INFO), calibrated.REFERENCE)
    if not score_columns.features_of(info) or not os.path.exists(path):
        raise ValueError(
            f"{version}: must be a calibrated model, it has no {calibrated.REFERENCE} to compare"
            " with. Run spine-tf calibrate, export it again and score with that."
        )
    found = reference.load(path).rows
    names = score_columns.features_of(info)
    return drift_groups.Rows(
        numbers={name: found["features"][:, i] for i, name in enumerate(names)},
        classes={item.name: found[f"grade_{item.name}"] for item in saved_model.gradings_of(info)},
        level=found["level"],
        scanner=found["scanner"],
    )


def _read(
    scored: str, model_version: str, info: Mapping[str, Any]
) -> tuple[pa.Table, dict[str, Any]]:
    """The rows that a model scored, and how many there are of what."""
    kinds = score_columns.columns([info])
    gradings = [item.name for item in saved_model.gradings_of(info)]
    wanted = ["scan", "level", "scanner", "model_version", "is_outlier", score_columns.ERROR]
    wanted += [*(f"{n}_grade" for n in gradings), *(f"{n}_uncertain" for n in gradings)]
    wanted += score_columns.features_of(info)
    table = score_files.read(scored, {name: kinds[name] for name in wanted})
    versions = collections.Counter(table["model_version"].to_pylist())
    is_of_model = np.array(table["model_version"].to_pylist(), object) == model_version
    # A model that was exported before it was calibrated has the same weights, and no features.
    is_watched = np.array(table["is_outlier"].is_valid())
    is_sound = np.array(table[score_columns.ERROR].is_null())
    sound = table.filter(pa.array(is_of_model & is_sound & is_watched, pa.bool_()))
    if not sound.num_rows:
        there = ", ".join(map(str, versions)) or "none"
        raise ValueError(
            f"{scored}: must hold discs that the model {model_version} scored, got rows of {there}."
            " Give the model that was used, or score again."
        )
    num_errors = int((is_of_model & ~is_sound).sum())
    return sound, {"discs": sound.num_rows, "errors": num_errors}


def _sample_rows(table: pa.Table, known: drift_groups.Rows) -> drift_groups.Rows:
    texts = {
        name: np.array([value or reference.UNKNOWN for value in table[name].to_pylist()], np.str_)
        for name in ("scan", "level", "scanner")
    }
    return drift_groups.Rows(
        numbers={name: table[name].to_numpy() for name in known.numbers},
        classes={name: table[f"{name}_grade"].to_numpy() for name in known.classes},
        **texts,
    )


def _shares(table: pa.Table, group: drift_groups.Group) -> dict[str, float]:
    """Which share of a group is an outlier, and uncertain in each grading."""
    if group.kind != drift_groups.ALL:
        table = table.filter(pa.array(np.array(table[group.kind].to_pylist()) == group.name))
    names = ["is_outlier", *(name for name in table.column_names if name.endswith("_uncertain"))]
    return {name: round(_share(table[name].to_pylist()), _KEPT_DIGITS) for name in names}


def _share(values: Sequence[bool | None]) -> float:
    return sum(map(bool, values)) / max(1, len(values))


def _to_json(group: drift_groups.Group, shares: Mapping[str, float]) -> dict[str, Any]:
    return {
        "kind": group.kind,
        "name": group.name,
        "status": group.status,
        "discs": group.num_discs,
        "scans": group.num_scans,
        "training_discs": group.num_reference,
        "compared_with": group.reference,
        "shares": shares,
        "measures": [_measure_to_json(measure) for measure in group.measures],
    }


def _measure_to_json(measure: drift_groups.Measure) -> dict[str, Any]:
    test = "chi-square, Cramer's V" if measure.is_mix else "Kolmogorov-Smirnov"
    found = {
        "name": measure.name,
        "status": measure.status,
        "psi": round(measure.moved.psi, _KEPT_DIGITS),
        "test": test,
        "statistic": round(measure.moved.statistic, _KEPT_DIGITS),
        "p": float(f"{measure.moved.p:.4g}"),
        "p_holm": float(f"{measure.p_holm:.4g}"),
    }
    if measure.middle:
        sample, training = (float(f"{value:.9g}") for value in measure.middle)
        found |= {"median": sample, "training_median": training}
    return found
