"""One small data set, and training that is only pretended, for the folder's tests."""

import pytest
from matplotlib import figure

from spine_tf.search import plot
from tests.spine_tf import tiny_runs
from tests.spine_tf.search import searches


@pytest.fixture(scope="package")
def data_dir(tmp_path_factory):
    return tiny_runs.make_data(tmp_path_factory.mktemp("search") / "set")


@pytest.fixture
def trained(monkeypatch):
    """Training takes no time and its validation follows from the learning rate; what was asked."""
    asked = []
    monkeypatch.setattr(searches.trial.loop, "train", searches.pretend(asked))
    monkeypatch.setattr(searches.trial.gc, "collect", lambda: None)
    monkeypatch.setattr(searches.trial.keras.backend, "clear_session", lambda: None)
    monkeypatch.setattr(plot, "objectives", lambda *_: figure.Figure((1, 1)))
    return asked
