import io

import numpy as np
import pytest

from spine_tf.evaluation import plots

AREA = {"value": 0.75, "low": 0.5, "high": 0.9}
RATES = np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0, 1.0])


def _texts(axes):
    return [text.get_text() for text in axes.texts]


def test_roc_curves_say_area_and_interval():
    (axes,) = plots.roc_curves({"embedding": (RATES, AREA)}, "9 pairs").axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["embedding: AUC 0.750 [0.500, 0.900]", "chance"]
    assert axes.get_title().endswith("9 pairs")


def test_histogram_has_percent_on_its_axis():
    histogram = {"edges": [0, 1, 2], "same": [1.0, 0.0], "different": [0.25, 0.75]}
    lines = {"FPR 0.1": 0.5}
    (axes,) = plots.distance_histogram(histogram, "9 pairs", thresholds=lines).axes
    assert axes.get_title() == "9 pairs"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["different subjects", "same subject", "FPR 0.1"]
    assert axes.get_ylabel() == "% of pairs"
    assert axes.get_ylim()[1] > 99


def test_confusion_matrix_shows_counts_and_row_percent():
    confusion = np.array([[3, 1], [0, 0]])
    (axes,) = plots.confusion_matrix(confusion, (1, 2), "Grading", "4 discs").axes
    assert _texts(axes) == ["3\n75%", "1\n25%"]  # no disc of grade 2, so no percent of it
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["1  (n=4)", "2  (n=0)"]


def test_confusion_matrix_of_classes_has_their_names():
    labels = ("predicted class", "labelled class")
    (axes,) = plots.confusion_matrix(np.eye(2), ("Abdominal", "4CH"), "Classes", "", labels).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == labels
    assert [tick.get_rotation() for tick in axes.get_xticklabels()] == [90, 90]


@pytest.mark.parametrize("number", [1, 2])
def test_equal_figures_are_equal_bytes(number):
    files = []
    for _ in range(2):
        file = io.BytesIO()
        plots.roc_curves({"a": (RATES, AREA)}, str(number)).savefig(file, **plots.save_options())
        files.append(file.getvalue())
    assert files[0] == files[1]
    assert files[0].startswith(b"\x89PNG")
