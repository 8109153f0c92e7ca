import pytest

from spine_tf.evaluation import pretext_verdict
from tests.spine_tf import tiny_runs


def _verdict(name, **values):
    measures = {key: {"value": value} for key, value in values.items()}
    return pretext_verdict.verdict(tiny_runs.make_task(name), measures)


@pytest.mark.parametrize(("ratio", "learned"), [(0.6, True), (0.61, False)])
def test_restoration(ratio, learned):
    found = _verdict("context_restoration", restoration_ratio=ratio, missed_variance=2.0)
    assert found["pretext_learned"] is learned
    assert pretext_verdict.line(found).endswith("(rule: restoration_ratio at most 0.6)")


@pytest.mark.parametrize("name", ["autoencoder", "context_prediction"])
@pytest.mark.parametrize(("missed", "learned"), [(0.6, True), (0.61, False)])
def test_what_is_judged_by_the_variance_it_misses(name, missed, learned):
    found = _verdict(name, restoration_ratio=0.1, missed_variance=missed)
    assert found["rule"]["measure"] == "missed_variance"
    assert found["pretext_learned"] is learned


def test_nothing_changed_is_no_restoration():
    found = _verdict("context_restoration", restoration_ratio=None, missed_variance=0.1)
    assert found["pretext_learned"] is None


@pytest.mark.parametrize(("accuracy", "learned"), [(0.25, True), (0.24, False), (None, None)])
def test_tiles(accuracy, learned):
    found = _verdict("relative_positions", balanced_accuracy=accuracy)
    assert found["pretext_learned"] is learned
    assert pretext_verdict.line(found).endswith("(rule: balanced_accuracy at least 0.25)")


def test_a_task_without_a_rule_is_refused():
    with pytest.raises(ValueError, match="`made` must be a pretext with a rule, got Grading"):
        _verdict("grading")
