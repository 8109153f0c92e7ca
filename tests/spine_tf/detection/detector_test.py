import numpy as np

from spine_tf import volume
from spine_tf.detection import candidates, detector
from tests.spine_tf.detection import network_maps


def _predict(shown):
    """A network that knows the column; it says so whatever it sees."""
    output = network_maps.output(shown)

    def predict(image):
        positions = np.round(image[:, 0, 0] * (len(output) - 1)).astype(int)
        return output[positions][:, : image.shape[1], : image.shape[2]]

    return predict


def _scan(num_slices):
    array = np.zeros((num_slices, *network_maps.SHAPE[1:]), np.float32)
    array += np.linspace(0, 1, num_slices, dtype=np.float32)[:, None, None]
    affine = np.copy(network_maps.AFFINE)
    affine[:3, 0] *= 5 / num_slices
    return volume.Volume(array, affine)


def test_a_column_is_found_in_its_slices():
    found = detector.detect(_scan(5), _predict(range(1, 4)))
    names = [candidates.LEVELS[one.level_log_probability.argmax()] for one in found.bodies]
    assert names == ["L4", "L5", "S1"]
    assert {one.slice_range for one in found.bodies} == {(1, 3)}
    assert found.discs == ()


def test_of_many_slices_some_are_taken_and_ranges_are_those_of_all():
    found = detector.detect(_scan(100), _predict(range(1, 4)))
    first, last = found.bodies[0].slice_range
    assert first % 4 == 0 and last % 4 == 0
    assert 8 <= first <= 25 and 75 <= last <= 92


def test_the_field_of_view_ends_with_its_last_row():
    expected = -(network_maps.SHAPE[1] - 1) * network_maps.PIXEL_MM
    assert detector.foot_edge_mm(_scan(5)) == expected
