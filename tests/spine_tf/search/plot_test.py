"""The picture of a search."""

import io

from spine_tf.search import outcome, plot, space
from tests.spine_tf.search import searches

CONTENT = {
    "train.learning_rate": {"log": [1e-4, 1e-1]},
    "train.optimizer": ["sgd", "adam"],
    "train.augment": [True, False],
    "train.augment_strength": {"linear": [0.5, 1.0]},
}


def _trial(number, rate, objective, **changes):
    values = {"train.learning_rate": rate, "train.optimizer": "adam", "train.augment": False}
    status = "failed" if objective is None else "done"
    return outcome.Outcome(number, values | changes, 1, status=status, objective=objective)


def test_a_panel_per_setting():
    found = [_trial(1, 0.001, 0.5), _trial(2, 0.01, 0.25), _trial(3, 0.1, None)]
    found.append(_trial(4, 0.02, 0.75, **{"train.augment": True, "train.augment_strength": 0.6}))
    searched = space.parse(CONTENT, searches.make_base())
    made = plot.objectives(found, searched, "score")
    axes = [one for one in made.axes if one.get_visible()]
    assert [one.get_xlabel() for one in axes] == ["trial", *CONTENT]
    done, failed = axes[0].collections
    assert done.get_offsets().tolist() == [[1, 0.5], [2, 0.25], [4, 0.75]]
    assert failed.get_offsets().tolist() == [[3, 0.25]]
    assert axes[0].lines[0].get_ydata().tolist() == [0.5, 0.5, 0.75]  # the best so far
    assert axes[1].get_xscale() == "log" and len(axes[1].collections[0].get_offsets()) == 3
    assert [tick.get_text() for tick in axes[2].get_xticklabels()] == ["sgd", "adam"]
    assert len(axes[4].collections[0].get_offsets()) == 1  # where there was augmentation
    made.savefig(io.BytesIO(), format="png")
