import pytest
import tensorflow as tf

from spine_tf.evaluation import options, tile_answers
from spine_tf.tasks.pretext import relative_positions
from tests.spine_tf import tiny_runs
from tests.spine_tf.evaluation import oracles

OPTIONS = options.Options(num_draws=50, batch_size=8)


def _evaluate(monkeypatch, data_dir, name, output, num_classes):
    """Of a network that always gives answer 2."""

    def oracle(inputs, training):
        count = tf.shape(inputs["tiles"])[0]
        return {output: tf.one_hot(tf.fill([count], 2), num_classes)}

    one = oracles.fold_of(monkeypatch, data_dir, tiny_runs.make_task(name), oracle)
    return tile_answers.evaluate([one], OPTIONS)


@pytest.mark.parametrize(
    ("name", "output", "num_classes"),
    [("relative_positions", "position", 8), ("jigsaw", "order", 10)],
)
def test_one_answer_is_right_for_one_class(monkeypatch, data_dir, name, output, num_classes):
    results, written = _evaluate(monkeypatch, data_dir, name, output, num_classes)
    header, *rows = written["answers.csv"]
    true = [row[header.index("true")] for row in rows]
    assert set(true) == set(range(num_classes))  # every one occurs, so recall is 1 of 1 / classes
    assert results["balanced_accuracy"]["value"] == pytest.approx(1 / num_classes, abs=1e-6)
    assert results["accuracy"]["value"] == pytest.approx(true.count(2) / len(true), abs=1e-6)
    assert results["chance"] == pytest.approx(1 / num_classes)
    assert results["rule"]["limit"] == 2 / num_classes
    assert results["pretext_learned"] is False
    assert tile_answers.lines(results)[-1].startswith("pretext not learned")


def test_an_answer_that_is_never_true_is_no_choice(monkeypatch, data_dir):
    """Only answers 2 and 5 are asked for: always 2 is right in half of the mean, not learned."""
    cut = relative_positions.RelativePositions.cut

    def two(self, *given):
        found = cut(self, *given)
        return found._replace(labels=tf.where(found.labels < 4, 2, 5))

    monkeypatch.setattr(relative_positions.RelativePositions, "cut", two)
    results, _ = _evaluate(monkeypatch, data_dir, "relative_positions", "position", 8)
    assert results["balanced_accuracy"]["value"] == pytest.approx(0.5)
    assert results["chance"] == 0.5 and results["rule"]["limit"] == 1.0
    assert results["pretext_learned"] is False
    assert "8 answers, of which 2 occur, chance 0.500" in tile_answers.lines(results)[0]


def test_few_images_are_asked_about_several_times(monkeypatch, data_dir):
    results, written = _evaluate(monkeypatch, data_dir, "relative_positions", "position", 8)
    header, *rows = written["answers.csv"]
    columns = {name: [row[header.index(name)] for row in rows] for name in header}
    images = list(zip(columns["key"], columns["visit"], strict=True))
    num_draws = 1 + max(columns["draw"])
    assert results["images"] == len(set(images)) < 200
    assert results["asked"] == len(rows) == num_draws * len(set(images)) >= 200
    assert len(rows) - len(set(images)) < 200  # no more draws than are needed
    assert len(set(zip(images, columns["draw"], strict=True))) == len(rows)
    true_of = {}
    for image, true in zip(images, columns["true"], strict=True):
        true_of.setdefault(image, set()).add(true)
    assert max(map(len, true_of.values())) > 1  # otherwise drawn


def test_the_interval_is_over_subjects(monkeypatch, data_dir):
    results, _ = _evaluate(monkeypatch, data_dir, "relative_positions", "position", 8)
    found = results["accuracy"]
    assert found["low"] < found["value"] < found["high"]
    assert results["subjects"] == 18
