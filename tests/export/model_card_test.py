"""Tests of export.model_card."""

import copy
import json
import os

import pytest

from export import model_card, saved_model
from spine_tf.evaluation import run

_METRIC = {"value": 0.75, "low": 0.7, "high": 0.8}
_MAJORITY = {"value": 0.2, "low": 0.2, "high": 0.2}
_EVALUATION = {
    "format": run.FORMAT,
    "split": "test",
    "protocols": ["grading"],
    "bootstrap": {"over": "subject", "draws": 2000, "seed": 0},
    "weights_sha256": ["a" * 64],
    "results": {
        "gradings": {
            "pfirrmann": {
                "model": {
                    "balanced_accuracy": _METRIC,
                    "quadratic_kappa": {"value": None},
                    "off_by_more_than_one": {"value": 0.125},
                },
                "ordinal_ridge": {"reason": "the training records hold one grade only"},
                "majority_grade": {"balanced_accuracy": _MAJORITY},
                "per_level": {"L1-L2": {"accuracy": _METRIC}},
                "discs": 10,
            }
        }
    },
}


@pytest.fixture(scope="module")
def card(model):
    path = os.path.join(model, "1", saved_model.EXTRA, model_card.JSON)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def test_the_card_says_where_the_model_comes_from(card, model):
    info = saved_model.read_info(os.path.join(model, "1"))
    assert card["format"] == "spine_tf model card/1"
    assert card["data"]["manifest_sha256"] == "a" * 64
    assert card["data"]["splits_sha256"] == "b" * 64
    assert card["weights_sha256"] == info["weights_sha256"]
    assert card["configuration"]["model"]["width"] == 1 / 32
    assert card["configuration"]["training"]["learning_rate"] > 0
    assert set(card["versions"]["exported"]) >= {"tensorflow", "keras", "spine_tf"}
    assert card["code"]["sources_sha256"] == model_card.sources_sha256()
    assert "Not a medical device" in card["intended_use"] and card["licence"]
    assert card["evaluation"] is None


def test_a_person_reads_the_same(card, model):
    with open(os.path.join(model, "1", saved_model.EXTRA, model_card.MARKDOWN)) as file:
        text = file.read()
    assert "a" * 64 in text and "b" * 64 in text
    assert "| Pfirrmann grade (`pfirrmann`) | 1, 2, 3, 4, 5 |" in text
    assert "It was not evaluated before it was exported" in text
    assert "among the others at most 0.1 shall be wrong" in text
    assert "embedding_7" in text
    plain = model_card.to_markdown(card | {"calibration": None, "reference": None})
    assert "It is not calibrated: it never abstains." in plain


@pytest.mark.parametrize("is_learned", [True, False, None])
def test_where_the_encoder_comes_from_and_whether_that_was_learned(card, is_learned):
    assert card["encoder_from"] == {}
    assert "Encoder from" not in model_card.to_markdown(card)
    start = {
        "task": "jigsaw",
        "weights_sha256": "0123456789abcdef",
        "pretext_learned": is_learned,
    }
    text = model_card.to_markdown(card | {"encoder_from": start})
    mark = " (pretext not learned)" if is_learned is False else ""
    assert f"| Encoder from | jigsaw, weights `0123456789ab`{mark} |\n| Licence |" in text


def test_metrics_have_their_intervals(card):
    text = model_card.to_markdown(card | {"evaluation": _EVALUATION})
    assert "\nPfirrmann grade, the test split, 10 discs:\n\n| | Balanced accuracy | Quad" in text
    assert "\n| --- | --- | --- | --- |\n| model | 0.750 [0.700, 0.800] | - | 0.125 |\n" in text
    assert "\n| majority grade | 0.200 [0.200, 0.200] | - | - |\n" in text
    assert "per_level" not in text and "| ordinal ridge" not in text
    assert "not shown to be better" not in text
    assert "95 % bootstrap intervals over subjects" in text
    folds = _EVALUATION | {"weights_sha256": ["a" * 64, "b" * 64]}
    assert "of 2 folds are pooled" in model_card.to_markdown(card | {"evaluation": folds})


def test_a_model_that_is_not_better_than_the_majority_grade_is_said_to_be_not(card):
    evaluation = copy.deepcopy(_EVALUATION)
    found = evaluation["results"]["gradings"]["pfirrmann"]
    found["model"]["balanced_accuracy"]["low"] = 0.2
    assert "not shown to be better" in model_card.to_markdown(card | {"evaluation": evaluation})


def test_metrics_of_another_task_are_listed(card):
    evaluation = _EVALUATION | {"results": {"pairs": {"auc": _METRIC}}}
    text = model_card.to_markdown(card | {"evaluation": evaluation, "gradings": []})
    assert "| Metric | Value |\n| --- | --- |\n| pairs / auc | 0.750 [0.700, 0.800] |" in text


def test_the_evaluation_is_that_of_the_weights(tmp_path):
    assert model_card.read_evaluation("", str(tmp_path), "a" * 64) is None
    (tmp_path / "evaluation").mkdir()
    path = tmp_path / "evaluation" / "evaluation.json"
    path.write_text(json.dumps(_EVALUATION))
    assert model_card.read_evaluation("", str(tmp_path), "a" * 64) == _EVALUATION
    assert model_card.read_evaluation(str(path), "elsewhere", "a" * 64) == _EVALUATION
    with pytest.raises(ValueError, match="was trained after it was evaluated"):
        model_card.read_evaluation("", str(tmp_path), "c" * 64)
    with pytest.raises(FileNotFoundError):
        model_card.read_evaluation(str(tmp_path / "missing.json"), str(tmp_path), "a" * 64)
