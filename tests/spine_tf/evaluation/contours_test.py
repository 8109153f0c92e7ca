import numpy as np

from spine_tf.evaluation import contours

REGIONS = {"cube": (1,), "bar": (2, 3)}


def _shown():
    truth = np.zeros((20, 10), int)
    truth[2:6, 2:6] = 1
    truth[10:14, 2:6] = 3
    prediction = np.where(truth == 1, 1, 0)
    return contours.Shown(np.random.default_rng(0).random((20, 10)), truth, prediction, (2.0, 1.0))


def test_every_region_that_is_there_has_a_contour():
    made = contours.draw({"worst case": _shown()}, REGIONS, "1 case")
    truth, prediction = made.axes
    assert [len(axes.collections) for axes in (truth, prediction)] == [2, 1]
    assert truth.get_ylabel() == "worst case"
    assert [axes.get_title() for axes in made.axes] == ["reference", "prediction"]
    assert truth.get_aspect() == 2.0
    assert [text.get_text() for text in made.legends[0].get_texts()] == ["cube", "bar"]


def test_the_fullest_slice_is_among_those_that_there_are():
    truth = np.zeros((4, 3, 3), int)
    truth[1, :2], truth[3] = 1, 2
    assert contours.fullest_slice(truth, np.array([0, 1, 3])) == 2
    assert contours.fullest_slice(truth, np.array([0, 1])) == 1
