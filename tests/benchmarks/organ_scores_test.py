import numpy as np

from benchmarks import organ_scores


def test_features_that_tell_classes_give_1_and_noise_gives_chance():
    random = np.random.default_rng(0)
    labels, subjects = np.tile(list("abc"), 20), np.repeat(np.arange(20), 3)
    clear = np.eye(3)[np.tile([0, 1, 2], 20)] + 0.01 * random.normal(size=(60, 3))
    assert set(organ_scores.classification(clear, labels, subjects)["f1"].values()) == {1.0}
    noise = organ_scores.classification(random.normal(size=(60, 3)), labels, subjects)
    assert max(noise["f1"].values()) < 0.6


def test_boxes_that_follow_the_features_are_found():
    random = np.random.default_rng(0)
    features = random.normal(size=(40, 10))
    boxes = np.zeros((40, 5, 2, 3))
    boxes[..., 2] = features[:, 3, None, None] + 30 * features[:, 0, None, None]
    boxes[..., 1] = features[:, 4, None, None]
    boxes[::7, 1] = np.nan
    found = organ_scores.localisation(features, boxes)
    assert found["centroid_mm"]["ridge regression"] < 1 < 15 < found["centroid_mm"]["mean box"]
    assert found["organs_seen"]["right kidney"] == 34
