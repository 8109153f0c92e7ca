"""Each claim of Jamaludin 2017 as held, not held or undecided here, with its interval.

    python -m benchmarks.claims --learning_curve=docs/results/learning_curve.json

reads the result of `benchmarks.learning_curve` and writes OUTPUT_DIR/claims.json and claims.md. A
claim is a lower bound on some numbers. It is held if every 95% interval is at or above its bound,
not held if one is wholly below, and undecided otherwise. The numbers are of phantoms and of a small
network: they say whether a claim carries over, and reproduce nothing.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from benchmarks import markdown
from spine_tf import cli

_FLAGS = flags.FLAGS
NAME = "claims"
# Differences of this size count for nothing where the paper says "about as good" or "negligible".
NEGLIGIBLE = 0.01
_STRONG_GAIN = 0.025
_LONG, _SCRATCH, _STRONG = "longitudinal_frozen", "scratch", "strong"
_RANDOM, _TUNED = "frozen_random", "longitudinal_finetuned"


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim as lower bounds on numbers that have an interval.

    Attributes:
        name: Its id in the list of the paper's results.
        text: What it says.
        bounds: (number, least value); a number is the name of a contrast or of a pre-training's
            result, and "-(...)" around it takes its negative.
    """

    name: str
    text: str
    bounds: tuple[tuple[str, float], ...]


def claims(sizes: Sequence[int]) -> list[Claim]:
    """Returns the claims of the paper for some numbers of training subjects, rising."""

    def minus(first: str, second: str, at: int, at_second: int = 0) -> str:
        return f"{first} at {at} - {second} at {at_second or at}"

    small, middle, large = sizes[0], sizes[-2], sizes[-1]
    ranked = [(_STRONG, _LONG), (_LONG, _SCRATCH), (_SCRATCH, _RANDOM)]
    tuned = [minus(_TUNED, _LONG, size) for size in sizes]
    rising = [minus(regime, regime, large, middle) for regime in (_SCRATCH, _LONG)]
    gain = f"gain of {_LONG} at {large} - at {small}"
    listed = {
        "J_auc_pairs": ("pair AUC at least 94.6%", [("pair_auc", 0.946)]),
        "J_level_acc": ("level accuracy at least 97.8%", [("level_accuracy", 0.978)]),
        "J_avgacc": (
            f"longitudinal at {middle} subjects about reaches scratch at {large}",
            [(minus(_LONG, _SCRATCH, middle, large), -NEGLIGIBLE)],
        ),
        "J_above_scratch": (
            "longitudinal is above scratch at every size",
            [(minus(_LONG, _SCRATCH, size), 0.0) for size in sizes],
        ),
        "J_gain_strong": (
            "strong is at least 2.5 points above scratch at every size",
            [(minus(_STRONG, _SCRATCH, size), _STRONG_GAIN) for size in sizes],
        ),
        "J_rank": (
            "strong > longitudinal > scratch > frozen random at every size",
            [(minus(a, b, size), 0.0) for a, b in ranked for size in sizes],
        ),
        "J_finetune_gap": (
            "fine-tuning the convolutions changes little (1 point) at every size",
            [(form.format(name), -NEGLIGIBLE) for name in tuned for form in ("{}", "-({})")],
        ),
        "J_low_data": (
            f"there is a gain over scratch at {large} subjects, and it grows with the data",
            [(minus(_LONG, _SCRATCH, large), 0.0), (gain, 0.0)],
        ),
        "J_no_plateau": (
            f"accuracy still rises from {middle} to {large} subjects",
            [(name, 0.0) for name in rising],
        ),
    }
    return [Claim(name, text, tuple(bounds)) for name, (text, bounds) in listed.items()]


def numbers(curve: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns name -> {"value", "low", "high"} of contrasts and of the longitudinal model."""
    found = {one["name"]: one for one in curve["contrasts"]}
    siamese = [one for one in curve["pretraining"] if one["kind"] == "siamese"]
    if siamese:
        first = min(siamese, key=lambda one: one["seed"])
        found |= {name: first[name] for name in ("pair_auc", "level_accuracy")}
    for name, one in list(found.items()):
        if one.get("low") is None:
            del found[name]
            continue
        found[f"-({name})"] = {"value": -one["value"], "low": -one["high"], "high": -one["low"]}
    return found


def judge(claim: Claim, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns whether a claim is held, with its numbers; "not run" if one is missing."""
    parts = [
        {"name": name, "bound": bound} | _interval(found, name) for name, bound in claim.bounds
    ]
    known = [part for part in parts if part["low"] is not None]
    if any(part["high"] < part["bound"] for part in known):
        verdict = "not held"
    elif len(known) < len(parts):
        verdict = "not run"
    else:
        is_held = all(part["low"] >= part["bound"] for part in known)
        verdict = "held" if is_held else "undecided"
    return {"id": claim.name, "claim": claim.text, "verdict": verdict, "numbers": parts}


def _interval(found, name: str) -> dict[str, Any]:
    return {key: found.get(name, {}).get(key) for key in ("value", "low", "high")}


# === Paper and here ===


def side_by_side(curve: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Returns rows (quantity, paper, here on phantoms, same protocol?)."""
    found = numbers(curve)
    points = {(p["regime"], p["subjects"]): p for p in curve["points"]}
    size = "no: phantoms, small network, fewer epochs"
    rows = [
        ("AUC of pairs", "94.6", found.get("pair_auc"), size),
        ("level accuracy", "97.8", found.get("level_accuracy"), size),
    ]
    for regime, subjects, printed in ((_LONG, 361, "74.4"), (_SCRATCH, 670, "74.7")):
        point = points.get((regime, subjects))
        interval = {"value": point["mean"]} | point if point else None
        rows.append((f"average class accuracy, {regime} at {subjects}", printed, interval, size))
    return [(name, printed, _percent(one), same) for name, printed, one, same in rows]


def _percent(found: Mapping[str, Any] | None) -> str:
    if not found:
        return "not run"
    value, low, high = (100 * found[name] for name in ("value", "low", "high"))
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def table(judged: Sequence[Mapping[str, Any]], rows: Sequence[tuple[str, ...]]) -> str:
    """Returns both tables as Markdown; differences in points of balanced accuracy."""
    found = []
    for one in judged:
        cells = [
            f"{part['name']}: {_percent(part if part['low'] is not None else None)}"
            f" ({100 * part['bound']:g})"
            for part in one["numbers"]
        ]
        found.append((one["claim"], one["verdict"], "; ".join(cells)))
    lines = markdown.table(("claim", "verdict", "numbers, % [95% interval] (at least)"), found)
    beside = ("", "paper, %", "here on phantoms, %", "same protocol?")
    lines += ["", *markdown.table(beside, rows)]
    return "\n".join(lines) + "\n"


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("learning_curve", None, "learning_curve.json.")
    flags.DEFINE_string("output_dir", "docs/results", "Where the claims go.")
    cli.required("learning_curve")


def main(argv: list[str]) -> None:
    """Judges, writes and prints."""
    del argv
    from spine_tf import files

    with open(_FLAGS.learning_curve, encoding="utf-8") as file:
        curve = json.load(file)
    sizes = sorted({point["subjects"] for point in curve["points"]})
    if len(sizes) < 2:
        raise ValueError(
            f"{_FLAGS.learning_curve}: `points` must be of two sizes or more, got {sizes}."
        )
    found = numbers(curve)
    judged = [judge(claim, found) for claim in claims(sizes)]
    text = table(judged, side_by_side(curve))
    seeds = [one["seeds"] for one in curve["contrasts"]]
    ends = sorted({min(seeds), max(seeds)} if seeds else {0})
    text += f"\nSeeds of the differences: {' to '.join(str(count) for count in ends)}.\n"
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    files.write_json(os.path.join(_FLAGS.output_dir, f"{NAME}.json"), {"claims": judged})
    with files.atomic_write(os.path.join(_FLAGS.output_dir, f"{NAME}.md")) as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    cli.run(define_flags, main)
