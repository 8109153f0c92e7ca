import numpy as np
import pytest

from spine_tf.evaluation import options, restoration
from tests.spine_tf import tiny_runs
from tests.spine_tf.evaluation import oracles
from tests.spine_tf.losses import masked_squared_error_test as packed
from tests.spine_tf.metrics import restoration_ratio_test

OPTIONS = options.Options(num_draws=50, batch_size=8)


def test_sums_by_hand():
    # Squared errors, means of channels, of the two voxels that count: given 0, 2; restored 0.5, 1;
    # only the second is changed. The target is (1, 0), (2, 2), its mean (1.5, 1): either voxel is
    # (0.25 + 1) / 2 from it.
    found = restoration.sums(packed.label(), restoration_ratio_test.RESTORED)
    assert {name: pytest.approx(float(value[0])) for name, value in found.items()} == {
        "voxels": 2.0,
        "changed_voxels": 1.0,
        "restored_error": 1.5,
        "given_error": 2.0,
        "restored_error_changed": 1.0,
        "given_error_changed": 2.0,
        "deviation": 1.25,
    }


def _evaluate(monkeypatch, data_dir, name, factor):
    """Of a network that returns its input, times a factor."""

    def oracle(inputs, training):
        return {"restored": factor * inputs["image"]}

    one = oracles.fold_of(monkeypatch, data_dir, tiny_runs.make_task(name), oracle)
    return restoration.evaluate([one], OPTIONS)


@pytest.mark.parametrize("name", ["context_restoration", "context_prediction"])
def test_a_copy_has_ratio_one_and_has_not_learned(monkeypatch, data_dir, name):
    results, _ = _evaluate(monkeypatch, data_dir, name, 1.0)
    for measure in ("restoration_ratio", "restoration_ratio_changed"):
        assert results[measure] == {"value": 1.0, "low": 1.0, "high": 1.0}
    measure = {"context_prediction": "missed_variance"}.get(name, "restoration_ratio")
    assert results["rule"] == {"measure": measure, "must_be": "at most", "limit": 0.6}
    assert results["pretext_learned"] is False
    assert restoration.lines(results)[-1].startswith("pretext not learned")
    assert 0.1 < results["changed_share"]["value"] <= 1


def test_an_autoencoder_is_judged_by_the_variance_it_misses(monkeypatch, data_dir):
    results, _ = _evaluate(monkeypatch, data_dir, "autoencoder", 1.0)
    assert results["restoration_ratio"]["value"] is None
    assert "as it is" in results["restoration_ratio"]["reason"]
    assert results["missed_variance"]["value"] == 0.0
    assert results["pretext_learned"] is True
    results, _ = _evaluate(monkeypatch, data_dir, "autoencoder", 0.0)
    assert results["missed_variance"]["value"] > 1  # zero is further than the mean
    assert results["pretext_learned"] is False


def test_the_ratio_is_that_of_the_sums_of_the_table(monkeypatch, data_dir):
    results, written = _evaluate(monkeypatch, data_dir, "context_restoration", 0.5)
    header, *rows = written["images.csv"]
    assert len(rows) == results["images"] and len({tuple(row[:3]) for row in rows}) == len(rows)
    upper, lower = (
        sum(float(row[header.index(name)]) for row in rows)
        for name in ("restored_error", "given_error")
    )
    assert results["restoration_ratio"]["value"] == pytest.approx(upper / lower, rel=1e-5)
    assert (
        results["restoration_ratio"]["low"] < upper / lower < results["restoration_ratio"]["high"]
    )
    assert np.isfinite(results["missed_variance"]["value"])
