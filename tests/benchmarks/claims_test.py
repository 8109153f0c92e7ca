import json

import pytest

from benchmarks import claims, curve_results
from spine_tf import cli

SIZES = (240, 361, 670)


def _interval(value, half=0.005):
    return {"value": value, "low": value - half, "high": value + half}


def _curve(**changed):
    """A curve in which every claim holds, but for what is changed by its contrast's name."""
    values = {}
    for size in SIZES:
        values[f"strong at {size} - scratch at {size}"] = 0.06
        values[f"strong at {size} - longitudinal_frozen at {size}"] = 0.03
        values[f"longitudinal_frozen at {size} - scratch at {size}"] = 0.03
        values[f"scratch at {size} - frozen_random at {size}"] = 0.1
        values[f"longitudinal_finetuned at {size} - longitudinal_frozen at {size}"] = 0.0
    for regime in ("scratch", "longitudinal_frozen"):
        values[f"{regime} at 670 - {regime} at 361"] = 0.02
    values["longitudinal_frozen at 361 - scratch at 670"] = -0.003
    values["gain of longitudinal_frozen at 670 - at 240"] = 0.01
    contrasts = [{"name": n, "seeds": 2} | _interval(v) for n, v in values.items()]
    for one in contrasts:
        one |= changed.get(one["name"], {})
    siamese = {"kind": "siamese", "seed": 0, "pair_auc": _interval(0.96)}
    siamese["level_accuracy"] = _interval(0.99)
    points = [
        {"regime": r, "subjects": s, "mean": 0.6, "low": 0.5, "high": 0.7}
        for r in ("scratch", "longitudinal_frozen")
        for s in SIZES
    ]
    return {"contrasts": contrasts, "pretraining": [siamese], "points": points}


def _verdicts(curve):
    found = claims.numbers(curve)
    return {c.name: claims.judge(c, found)["verdict"] for c in claims.claims(SIZES)}


def test_every_number_is_one_that_the_curve_has():
    names = {contrast.name for contrast in curve_results.planned_contrasts(SIZES)}
    asked = {
        name.removeprefix("-(").removesuffix(")")
        for c in claims.claims(SIZES)
        for name, _ in c.bounds
    }
    assert asked <= names | {"pair_auc", "level_accuracy"}


def test_all_claims_hold():
    assert set(_verdicts(_curve()).values()) == {"held"}


@pytest.mark.parametrize(
    "name, interval, claim, verdict",
    [
        ("strong at 361 - scratch at 361", _interval(0.026), "J_gain_strong", "undecided"),
        ("strong at 361 - scratch at 361", _interval(0.01), "J_gain_strong", "not held"),
        ("scratch at 240 - frozen_random at 240", _interval(-0.1), "J_rank", "not held"),
        ("longitudinal_frozen at 361 - scratch at 670", _interval(-0.008), "J_avgacc", "undecided"),
        ("gain of longitudinal_frozen at 670 - at 240", _interval(0.0), "J_low_data", "undecided"),
        ("longitudinal_frozen at 670 - scratch at 670", _interval(-0.1), "J_low_data", "not held"),
        (
            "longitudinal_finetuned at 670 - longitudinal_frozen at 670",
            _interval(0.03),
            "J_finetune_gap",
            "not held",
        ),
    ],
)
def test_an_interval_decides(name, interval, claim, verdict):
    found = _verdicts(_curve(**{name: interval}))
    assert found.pop(claim) == verdict
    # Only claims about the same number may change with it.
    related = {"J_rank", "J_gain_strong", "J_above_scratch"}
    assert all(v == "held" for k, v in found.items() if k not in related)


def test_what_was_not_run():
    curve = _curve()
    curve["contrasts"] = [c for c in curve["contrasts"] if "strong" not in c["name"]]
    curve["pretraining"] = []
    found = _verdicts(curve)
    assert found["J_gain_strong"] == found["J_rank"] == found["J_auc_pairs"] == "not run"
    assert found["J_above_scratch"] == "held"


def test_script(tmp_path, capsys):
    path = tmp_path / "learning_curve.json"
    path.write_text(json.dumps(_curve()))
    arguments = [f"--learning_curve={path}", f"--output_dir={tmp_path / 'o'}"]
    assert cli.call(claims.define_flags, claims.main, arguments) == 0
    printed = capsys.readouterr().out
    assert "| pair AUC at least 94.6% | held | pair_auc: 96.0 [95.5, 96.5] (94.6) |" in printed
    assert "| AUC of pairs | 94.6 | 96.0 [95.5, 96.5] | no: phantoms" in printed
    assert "Seeds of the differences: 2." in printed
    assert (tmp_path / "o" / "claims.md").read_text().strip() == printed.strip()
    path.write_text(json.dumps(_curve() | {"points": []}))
    assert cli.call(claims.define_flags, claims.main, arguments) == 1
