import numpy as np

from spine_tf.organ_phantom import patient


def _many(count=300):
    return [patient.draw(np.random.default_rng([0, number])) for number in range(count)]


def test_labels_are_one_to_five():
    assert patient.LABELS == {
        "left kidney": 1,
        "right kidney": 2,
        "pancreas": 3,
        "liver": 4,
        "spleen": 5,
    }


def test_some_patients_lack_an_organ_but_never_liver_or_pancreas():
    found = _many()
    share = np.mean([len(who.organs) < 5 for who in found])
    assert 0.08 < share < 0.25
    assert all({"liver", "pancreas"} <= set(who.organs) for who in found)


def test_intensities_overlap():
    found = _many()
    for name in ("pancreas", "spleen"):
        higher = [w.organs[name].hu > w.organs["liver"].hu for w in found if name in w.organs]
        assert 0.15 < np.mean(higher) < 0.85


def test_both_kidneys_enhance_alike():
    for who in _many(20):
        kidneys = {o.hu for name, o in who.organs.items() if "kidney" in name}
        assert len(kidneys) <= 1
