import numpy as np
import pytest
import tensorflow as tf
from skimage import draw

from spine_tf import geometry
from spine_tf.data import crops, intensity

# A body 36 mm wide and 26 mm high, head first, front first; a disc 10 mm high lies between two.
WIDTH_MM, HEIGHT_MM, STEP_MM = 36.0, 26.0, 36.0


def _affine(spacing_mm, shape):
    """Canonical, with the patient's origin in the middle of the scan."""
    slice_mm, row_mm, column_mm = spacing_mm
    middle = (np.array(shape) - 1) / 2 * spacing_mm
    return geometry.affine_from_axes(
        (slice_mm, 0, 0), (0, 0, -row_mm), (0, column_mm, 0), (-middle[0], -middle[2], middle[1])
    )


def _quad(centre_yz=(0.0, 0.0), angle_deg=0.0, width_mm=WIDTH_MM, height_mm=HEIGHT_MM, x=0.0):
    """Corners [4, 3]; a positive angle lowers the back."""
    angle = np.radians(angle_deg)
    back = np.array([0.0, np.cos(angle), -np.sin(angle)])
    foot = np.array([0.0, -np.sin(angle), -np.cos(angle)])
    centre = np.array([x, *centre_yz])
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return np.array([centre + b * width_mm / 2 * back + f * height_mm / 2 * foot for b, f in signs])


def _column(number=3, **options):
    """Bodies below each other; the middle one is at the origin."""
    heights = -STEP_MM * (np.arange(number) - number // 2)
    return np.stack([_quad((0.0, z), **options) for z in heights])


def _points(affine, shape):
    """[slices, rows, columns, 3] mm of every voxel."""
    return geometry.to_patient(affine, np.moveaxis(np.indices(shape), 0, -1))


def _body(points_mm):
    """A smooth body in mm: another pattern in x, y and z, so that a crop shows where it was cut."""
    x, y, z = np.moveaxis(points_mm, -1, 0)
    return 500 + 150 * np.sin(y / 6) + 120 * np.cos(z / 7) + 4 * x


def _scan(spacing_mm, shape):
    affine = _affine(spacing_mm, shape)
    return _body(_points(affine, shape)).astype(np.float32), affine


def _numpy(found):
    return {name: value.numpy() for name, value in found.items()}


def _discs(volume, affine, corners, **options):
    options = {"scale": 0.5} | options
    return _numpy(crops.crop_discs(volume, affine, corners[:-1], corners[1:], **options))


def _bodies(volume, affine, corners, **options):
    return _numpy(crops.crop_vertebrae(volume, affine, corners, **({"scale": 0.5} | options)))


# === Shapes and frames ===


@pytest.mark.parametrize(
    ("kind", "scale", "stored", "network"),
    [
        (crops.VERTEBRA, 1, (15, 320, 320), (9, 224, 224)),
        (crops.DISC, 1, (15, 192, 320), (9, 112, 224)),
        (crops.VERTEBRA, 0.5, (15, 160, 160), (9, 112, 112)),
        (crops.DISC, 0.5, (15, 96, 160), (9, 56, 112)),
    ],
)
def test_shapes(kind, scale, stored, network):
    assert kind.stored_shape(scale) == stored
    assert kind.network_shape(scale) == network


def test_the_disc_lies_between_the_facing_edges():
    upper, lower = _quad((0, 18)), _quad((0, -18))
    found = crops.disc_corners_mm(tf.constant(upper), tf.constant(lower)).numpy()
    # From z = 18 - 13 to -18 + 13, front y = -18, back y = 18.
    expected = [[0, -18, 5], [0, 18, 5], [0, 18, -5], [0, -18, -5]]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("angle_deg", [-30.0, 0.0, 12.5])
@pytest.mark.parametrize("spacing_mm", [(4.0, 0.5, 0.5), (4.0, 0.6, 0.9)])
def test_width_and_angle_are_those_in_mm(angle_deg, spacing_mm):
    affine = _affine(spacing_mm, (9, 200, 200))
    index = crops.to_index(affine, _quad(angle_deg=angle_deg)[None])
    centre, direction, width_mm = crops.frame(index, tf.constant(spacing_mm, tf.float32))
    assert float(width_mm[0]) == pytest.approx(WIDTH_MM, rel=1e-4)
    angle = np.radians(angle_deg)
    np.testing.assert_allclose(direction[0], [np.sin(angle), np.cos(angle)], atol=1e-5)
    middle = [99.5 * spacing_mm[1], 99.5 * spacing_mm[2]]
    np.testing.assert_allclose(centre[0], middle, rtol=1e-5)


def test_a_wedge_takes_the_mean_of_both_edges():
    corners = np.array([[0, 0, 10], [0, 40, 14], [0, 40, 0], [0, 0, 0]], float)
    affine = _affine((4.0, 1.0, 1.0), (9, 100, 100))
    _, direction, width_mm = crops.frame(crops.to_index(affine, corners[None]), tf.ones(3))
    # Edges (40, up 4) and (40, 0): their unit vectors summed.
    expected = np.array([-4, 40]) / np.hypot(4, 40) + [0, 1]
    np.testing.assert_allclose(direction[0], expected / np.linalg.norm(expected), atol=1e-5)
    assert float(width_mm[0]) == pytest.approx((np.hypot(4, 40) + 40) / 2, rel=1e-5)


# === Slices ===


@pytest.mark.parametrize(
    ("spacing_mm", "expected"),
    [
        (5.0, [5, 6, 7, 8, 9, 10, 11, 12, 13]),  # wider than 4 mm: every slice
        (4.0, [5, 6, 7, 8, 9, 10, 11, 12, 13]),
        (2.0, [1, 3, 5, 7, 9, 11, 13, 15, 17]),  # 4 mm are two slices
        (0.9, [-9, -4, 0, 5, 9, 13, 18, 22, 27]),  # 4 mm are 4.44 slices: 4, 9, 13, 18
    ],
)
def test_slice_pitch_is_at_least_four_mm(spacing_mm, expected):
    found = crops.slice_indices(tf.constant([9.0]), tf.constant(spacing_mm), 9)
    assert found.numpy().tolist() == [expected]


def test_slices_outside_the_scan_are_marked_and_black():
    volume, affine = _scan((5.0, 1.0, 1.0), (5, 160, 120))
    found = _discs(volume, affine, _column())
    # Five slices stand in the middle of fifteen.
    expected = [5 <= place < 10 for place in range(15)]
    assert found["slice_is_valid"].tolist() == [expected] * 2
    assert np.all(found["image"][:, ~np.array(expected)] == 0)
    assert np.all(found["image"][:, expected] > 0)


def test_each_body_is_centred_on_its_own_slice():
    volume = np.broadcast_to(np.arange(11.0)[:, None, None], (11, 160, 120)).astype(np.float32)
    affine = _affine((5.0, 1.0, 1.0), volume.shape)
    corners = _column()
    corners[:, :, 0] = np.array([-10.0, 0.0, 12.0])[:, None]  # slices 3, 5 and 7.4
    found = _bodies(volume, affine, corners)
    middle = found["image"][:, 7, 80, 80] * found["median"] / crops.MEDIAN_INTENSITY
    np.testing.assert_allclose(middle, [3, 5, 7], rtol=1e-4)


# === Intensity ===


def test_inside_polygon_equals_scikit_image():
    rng = np.random.default_rng(0)
    for _ in range(10):
        quad = np.array([[5, 5], [6, 34], [33, 35], [32, 4]]) + rng.uniform(-4, 4, (4, 2))
        found = intensity.inside_polygon(tf.constant(quad, tf.float32), 40, 42).numpy()
        np.testing.assert_array_equal(found, draw.polygon2mask((40, 42), quad))


def test_the_median_of_the_neighbouring_bodies_is_half():
    rng = np.random.default_rng(0)
    volume = rng.uniform(100, 900, (9, 180, 120)).astype(np.float32)
    affine = _affine((4.0, 0.9, 0.8), volume.shape)
    corners = _column(3, angle_deg=8.0)
    found = _discs(volume, affine, corners)
    for number, neighbours in enumerate(([0, 1], [1, 2])):
        values = []
        for body in neighbours:
            index = geometry.to_index(affine, corners[body])
            inside = draw.polygon2mask(volume.shape[1:], index[:, 1:])
            values.append(volume[3:6, inside].ravel())  # the mid-slice 4 and the two beside it
        expected = np.median(np.concatenate(values))
        assert found["median"][number] == pytest.approx(expected, rel=1e-6)


def test_references_of_a_vertebra_are_its_neighbours():
    # Bodies of 100, 200 and 400: the middle one is normalised by its neighbours, the ends by it.
    volume = np.full((9, 180, 120), 10, np.float32)
    affine = _affine((4.0, 1.0, 1.0), volume.shape)
    corners = _column(3)
    z = _points(affine, volume.shape)[..., 2]
    for centre, value in zip((STEP_MM, 0.0, -STEP_MM), (100, 200, 400), strict=True):
        volume[np.abs(z - centre) < 16] = value
    found = _bodies(volume, affine, corners)
    # The neighbours of the middle one hold as many voxels each: the median is between 100 and 400.
    np.testing.assert_allclose(found["median"], [200, 250, 200])
    middle = found["image"][:, 7, 80, 80]
    np.testing.assert_allclose(middle, [0.25, 0.4, 1.0], rtol=1e-5)


def test_intensity_is_clipped_at_two():
    volume = np.full((9, 180, 120), 100, np.float32)
    affine = _affine((4.0, 1.0, 1.0), volume.shape)
    volume[np.abs(_points(affine, volume.shape)[..., 2] + STEP_MM / 2) < 3] = 5000
    found = _discs(volume, affine, _column())
    assert found["image"].max() == 2.0
    assert found["median"][1] == 100


def test_scaling_the_scan_changes_nothing():
    volume, affine = _scan((4.0, 0.8, 0.7), (9, 180, 140))
    one, other = (_discs(v, affine, _column())["image"] for v in (volume, volume * 3))
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("volume_value", [0.0, -5.0])
def test_nothing_to_normalise_by_is_nan(volume_value):
    volume = np.full((9, 180, 120), volume_value, np.float32)
    found = _discs(volume, _affine((4.0, 1.0, 1.0), volume.shape), _column())
    assert np.all(np.isnan(found["median"]))


def test_bodies_outside_the_scan_are_nan():
    volume, affine = _scan((4.0, 1.0, 1.0), (9, 160, 120))
    found = _discs(volume, affine, _column() + [0, 500.0, 0])
    assert np.all(np.isnan(found["median"]))


# === Geometry ===


@pytest.mark.parametrize("spacing_mm", [(4.0, 0.5, 0.5), (4.0, 0.6, 0.9), (4.0, 0.9, 0.6)])
def test_a_disc_drawn_in_mm_has_the_right_size_in_pixels(spacing_mm):
    # An ellipse of half axes 15 and 4 mm in a disc 36 mm wide: 113.5 pixels per 36 mm at scale 1.
    shape = (9, int(160 / spacing_mm[1]), int(120 / spacing_mm[2]))
    affine = _affine(spacing_mm, shape)
    y, z = _points(affine, shape)[..., 1], _points(affine, shape)[..., 2]
    inside = (y / 15) ** 2 + ((z + STEP_MM / 2) / 4) ** 2 < 1
    volume = np.where(inside, 800, 400).astype(np.float32)
    image = _discs(volume, affine, _column(), scale=1)["image"][1, 7]
    bright = image > 0.75
    pixels_per_mm = 113.5 / WIDTH_MM
    assert bright[96].sum() == pytest.approx(30 * pixels_per_mm, abs=0.6 * pixels_per_mm)
    assert bright[:, 160].sum() == pytest.approx(8 * pixels_per_mm, abs=0.6 * pixels_per_mm)
    rows, columns = np.nonzero(bright)
    assert rows.mean() == pytest.approx(95.5, abs=1)
    assert columns.mean() == pytest.approx(159.5, abs=1)


def test_a_crop_samples_the_body_where_it_says():
    """Every pixel of a turned crop against the body's own formula in mm."""
    spacing_mm, angle_deg = (4.0, 0.5, 0.7), 15.0
    volume, affine = _scan(spacing_mm, (9, 320, 230))
    corners = np.stack([_quad((4, 40)), _quad((3, 0), angle_deg), _quad((0, -40))])
    found = _bodies(volume, affine, corners)
    angle = np.radians(angle_deg)
    back = np.array([0.0, np.cos(angle), -np.sin(angle)])
    foot = np.array([0.0, -np.sin(angle), -np.cos(angle)])
    pixel_mm = WIDTH_MM / 56
    steps = (np.arange(160) - 79.5) * pixel_mm
    points_mm = (
        np.array([0.0, 3.0, 0.0]) + steps[None, :, None] * back + steps[:, None, None] * foot
    )
    expected = _body(points_mm) * crops.MEDIAN_INTENSITY / found["median"][1]
    np.testing.assert_allclose(found["image"][1, 7], expected, atol=0.003)
    assert found["angle_deg"][1] == pytest.approx(angle_deg, abs=1e-3)
    assert found["width_mm"][1] == pytest.approx(WIDTH_MM, rel=1e-4)


def test_a_turned_patient_gives_the_same_crop():
    """The body and its annotation turned by 20 degrees: the crop turns back."""
    spacing_mm, shape = (4.0, 0.5, 0.5), (9, 340, 340)
    affine = _affine(spacing_mm, shape)
    points = _points(affine, shape)
    found = []
    for angle_deg in (0.0, 20.0):
        angle = np.radians(angle_deg)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned = points.copy()
        turned[..., 1:] = points[..., 1:] @ turn  # the inverse turn of every voxel
        corners = _column()
        corners[..., 1:] = corners[..., 1:] @ turn.T
        found.append(_discs(_body(turned).astype(np.float32), affine, corners)["image"])
    np.testing.assert_allclose(found[0], found[1], atol=0.01)


def test_pixels_outside_the_scan_are_marked_and_black():
    volume, affine = _scan((4.0, 1.0, 1.0), (9, 120, 50))
    found = _bodies(volume, affine, _column())
    valid, image = found["pixel_is_valid"][1], found["image"][1, 7]
    assert np.all(image[~valid] == 0)
    assert np.all(image[valid] > 0)
    # The scan is 49 mm from the first to the last column centre; 56 pixels are 36 mm: 76 pixels.
    assert valid[80].sum() == pytest.approx(49 * 56 / 36, abs=1)
    assert valid[80, 79] and not valid[80, 0] and not valid[80, -1]


def test_spacings_of_slices_show_the_same_anatomy():
    """0.9 mm and 5 mm between slices of one body: the crops cover the same 40 mm."""
    corners = _column(3, angle_deg=5.0)
    fine = _discs(*_scan((0.9, 0.6, 0.6), (55, 250, 200)), corners, stored=False)
    thick = _discs(*_scan((5.0, 0.6, 0.6), (11, 250, 200)), corners, stored=False)
    assert np.all(fine["slice_is_valid"]) and np.all(thick["slice_is_valid"])
    middle = 4
    np.testing.assert_allclose(fine["image"][:, middle], thick["image"][:, middle], atol=0.01)
    # 4 mm and 5 mm pitch: the outermost slices are 16 and 20 mm from the middle; the body changes
    # by 4 per mm of about 500, so 0.5 * 16 / 500 between them.
    np.testing.assert_allclose(fine["image"], thick["image"], atol=0.03)
    outer = fine["image"][0, 8].mean() - fine["image"][0, 0].mean()
    assert outer == pytest.approx(32 * 4 * 0.5 / fine["median"][0], rel=0.1)


def test_a_disc_with_its_own_quad_is_the_disc_between_two_bodies():
    # One neighbour only; the body is the same everywhere, so that the median does not differ.
    volume, affine = _scan((4.0, 0.8, 0.8), (9, 200, 160))
    corners = _column()
    disc = crops.disc_corners_mm(corners[:1], corners[1:2])
    marked = _numpy(crops.crop_marked_discs(volume, affine, disc, corners[:1], scale=0.5))
    between = _discs(volume, affine, corners)
    ratio = marked["median"][0] / between["median"][0]
    np.testing.assert_allclose(marked["image"][0] * ratio, between["image"][0], atol=1e-4)


def test_the_network_crop_is_the_middle_of_the_stored_crop():
    volume, affine = _scan((4.0, 0.8, 0.8), (17, 200, 160))
    stored = _discs(volume, affine, _column())["image"]
    direct = _discs(volume, affine, _column(), stored=False)["image"]
    np.testing.assert_allclose(stored[:, 3:12, 20:76, 24:136], direct, atol=1e-5)
    stored = _bodies(volume, affine, _column())["image"]
    direct = _bodies(volume, affine, _column(), stored=False)["image"]
    assert stored.shape[1:] == (15, 160, 160)
    np.testing.assert_allclose(stored[:, 3:12, 24:136, 24:136], direct, atol=1e-5)
    assert _bodies(volume, affine, _column(), stored=False, scale=1)["image"].shape[2] == 224


def test_integer_scans_give_the_same_crops():
    volume, affine = _scan((4.0, 1.0, 1.0), (9, 160, 120))
    volume = np.round(volume)
    one = _discs(volume, affine, _column())["image"]
    other = _discs(volume.astype(np.uint16), affine, _column())["image"]
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_reduce_scale_averages_blocks():
    image = tf.reshape(tf.range(16.0), (1, 4, 4))
    # (0 + 1 + 4 + 5) / 4 = 2.5 and so on.
    np.testing.assert_allclose(crops.reduce_scale(image, 2), [[[2.5, 4.5], [10.5, 12.5]]])
    np.testing.assert_array_equal(crops.reduce_scale(image, 1), image)


def test_reduced_crops_at_scale_one_are_near_those_at_half():
    volume, affine = _scan((4.0, 0.5, 0.5), (9, 320, 240))
    large = _discs(volume, affine, _column(), scale=1)["image"]
    small = _discs(volume, affine, _column(), scale=0.5)["image"]
    np.testing.assert_allclose(crops.reduce_scale(large, 2), small, atol=0.01)


def test_the_shape_of_plain_images():
    kind = crops.image_kind(224, 192)
    assert kind.stored_shape(1.0) == (1, 252, 216) and kind.network_shape(1.0) == (1, 224, 192)
    assert kind.stored_shape(0.5) == (1, 126, 108) and kind.network_shape(0.5) == (1, 112, 96)
    assert kind.name == "image" and kind.pixels_per_width == 0
    least = crops.image_kind(32, 32)
    assert (least.stored_rows, least.stored_columns) == (36, 36)
    assert isinstance(least.stored_rows, int) and isinstance(least.stored_columns, int)


@pytest.mark.parametrize("rows, columns", [(0, 64), (48, 64), (64, 100), (64, -32)])
def test_sizes_of_plain_images_that_cannot_be(rows, columns):
    with pytest.raises(ValueError, match="`image_(rows|columns)` must be a multiple of 32, got"):
        crops.image_kind(rows, columns)
