import numpy as np
import pytest

from spine_tf.organ_phantom import planes


def test_classes_are_those_of_sononet():
    assert len(planes.PLANES) == 14 and list(planes.PLANES) == sorted(planes.PLANES)
    assert {"3VV", "4CH", "LVOT", "RVOT", "Background", "Brain(Cb)"} <= set(planes.PLANES)


@pytest.mark.parametrize("label", planes.PLANES)
def test_an_image_is_a_function_of_its_seed_examination_and_class(label):
    image = planes.make_image(3, 1, label)
    assert image.shape == (112, 144) and image.dtype == np.uint8
    assert image.std() > 10 and image.max() > 120
    np.testing.assert_array_equal(planes.make_image(3, 1, label), image)


def test_another_seed_or_examination_gives_another_image():
    image = planes.make_image(3, 1, "4CH")
    for other in ((4, 1, "4CH"), (3, 2, "4CH")):
        assert np.abs(planes.make_image(*other).astype(float) - image).mean() > 5


def test_what_an_examination_shares():
    one, other = (planes.draw_examination(0, number) for number in (0, 1))
    assert planes.draw_examination(0, 0) == one
    assert one.fetus != other.fetus and one.machine != other.machine and one.mother != other.mother


def test_images_of_one_examination_look_alike():
    levels = np.array(
        [
            [planes.make_image(0, number, name).mean() for name in list(planes.PLANES)[:5]]
            for number in range(6)
        ]
    )
    assert levels.mean(axis=1).std() > 1.2 * levels.std(axis=1).mean() / np.sqrt(5)


def test_unknown_class():
    with pytest.raises(ValueError, match="`label` must be among 3VV, .*, got 'Foot'"):
        planes.make_image(0, 0, "Foot")
