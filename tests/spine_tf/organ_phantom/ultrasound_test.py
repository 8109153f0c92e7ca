import dataclasses

import numpy as np

from spine_tf.organ_phantom import shapes, ultrasound

_MACHINE = ultrasound.Machine(
    radius_mm=50,
    half_angle_deg=30,
    axial_mm=0.35,
    lateral_deg=0.4,
    range_db=42,
    gain_db=0,
    noise=0.005,
    smoothing=1.0,
)
_WINDOW = ultrasound.Window(left_mm=-51.4, top_mm=0, height_mm=80)


def _picture(paint=lambda scene: None, machine=_MACHINE):
    scene = ultrasound.make_scene(machine, _WINDOW, 1.0)
    scene.fill(np.full_like(scene.depth_mm, 9), 0.4)
    paint(scene)
    return ultrasound.acquire(scene, machine, _WINDOW, np.random.default_rng(0))


def test_a_picture_is_a_sector():
    picture = _picture()
    assert picture.shape == (112, 144) and picture.dtype == np.uint8
    assert not picture[:8, :8].any() and picture[56, 40:100].all()
    # At depth 40 mm the edge is at 90 mm * sin(30 degrees) = 45 mm from the middle.
    shown = np.flatnonzero(picture[int((90 * np.cos(np.pi / 6) - 50) / 80 * 112)])
    assert abs(np.ptp(shown) * _WINDOW.pixel_mm - 90) < 2


def test_fluid_is_dark_where_it_is():
    def cyst(scene):
        scene.fill(shapes.ellipse(scene.frame.local((10, 40)), (8, 8)), 0.01)

    picture = _picture(cyst).astype(float)
    row, column = 56, int((10 + 51.4) / _WINDOW.pixel_mm)
    assert picture[row - 4 : row + 5, column - 4 : column + 5].mean() < 40
    assert picture[row - 4 : row + 5, 40:60].mean() > 90


def test_bone_is_bright_and_casts_a_shadow():
    def bone(scene):
        plate = shapes.tube(scene.frame.local((0, 40)), [(-6, 0), (6, 0)], 0.8)
        scene.surface(plate, 1.4, 4.0, loss=8.0)

    picture, plain = _picture(bone).astype(float), _picture().astype(float)
    assert picture[54:58, 68:76].mean() > plain[54:58, 68:76].mean() + 40
    assert picture[80:100, 68:76].mean() < plain[80:100, 68:76].mean() - 40
    assert abs(picture[80:100, 100:110].mean() - plain[80:100, 100:110].mean()) < 5


def test_a_surface_along_the_beam_reflects_little():
    scene = ultrasound.make_scene(_MACHINE, _WINDOW, 1.0)
    across = np.float32(scene.depth_mm - 40)
    along = np.broadcast_to(scene.angles * 50, across.shape).astype(np.float32)
    scene.surface(across, 1.0, 1.0)
    high = scene.glint.max()
    scene.glint[:] = 0
    scene.surface(along, 1.0, 1.0)
    assert high > 0.99 and scene.glint.max() < 0.2


def test_compounding_smooths_speckle():
    rough = dataclasses.replace(_MACHINE, smoothing=0.0)
    inside = np.s_[30:100, 50:95]
    assert _picture()[inside].std() < 0.8 * _picture(machine=rough)[inside].std()
