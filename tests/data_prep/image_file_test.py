import pathlib
import struct

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image

from data_prep import image_file, rejection
from tests.data_prep import image_samples

GREY = np.array([[0, 10, 20], [30, 40, 250]])


def _save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return str(path)


@pytest.mark.parametrize(
    "name, dtype, factor",
    [
        ("a.png", np.uint8, 1),
        ("a.png", np.uint16, 200),
        ("a.tiff", np.uint8, 1),
        ("a.tiff", np.uint16, 200),
        ("a.tiff", np.float32, 0.5),
        ("a.tiff", np.int32, -7),
    ],
)
def test_grey(tmp_path, name, dtype, factor):
    expected = (GREY * factor).astype(dtype)
    path = _save(tmp_path / name, expected)
    assert not image_file.inspect(path).is_colour
    found = image_file.read(path)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_whose_low_values_are_bright_is_inverted(tmp_path, dtype):
    top = np.iinfo(dtype).max
    path = pathlib.Path(_save(tmp_path / "a.tiff", (top - GREY).astype(dtype)))
    # Tag 262, PhotometricInterpretation, one SHORT: 1 is BlackIsZero, 0 WhiteIsZero.
    black, white = (struct.pack("<HHLHH", 262, 3, 1, value, 0) for value in (1, 0))
    content = path.read_bytes()
    assert content.count(black) == 1
    path.write_bytes(content.replace(black, white))
    np.testing.assert_array_equal(image_file.read(str(path)), GREY)


@pytest.mark.parametrize("name", ["colour.png", "colour.tiff", "transparent.png"])
def test_sixteen_bits_that_would_be_cut_to_eight_are_refused(tmp_path, name):
    path = str(tmp_path / name)
    deep = np.broadcast_to(np.arange(1000, dtype=np.uint16)[:, None, None], (1000, 2, 3)).copy()
    if name.startswith("colour"):
        sitk.WriteImage(sitk.GetImageFromArray(deep, isVector=True), path)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(deep[..., :2], isVector=True), path)
    with pytest.raises(rejection.RejectedInput, match="holds 16 bits in colour or with"):
        image_file.inspect(path)


def test_jpeg(tmp_path):
    image = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    path = _save(tmp_path / "a.jpg", image, quality=95)
    np.testing.assert_allclose(image_file.read(path), image, atol=3)


def test_colour_is_weighted(tmp_path):
    image = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [60, 60, 60]]], np.uint8)
    path = _save(tmp_path / "a.png", image)
    assert image_file.inspect(path).is_colour
    # 255 times 0.299, 0.587 and 0.114; equal parts stay as they are.
    np.testing.assert_allclose(image_file.read(path), [[76.245, 149.685, 29.07, 60]], atol=1e-3)


@pytest.mark.parametrize("mode, is_colour", [("1", False), ("LA", False), ("P", True)])
def test_other_modes(tmp_path, mode, is_colour):
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert(mode).save(path)
    assert image_file.inspect(str(path)).is_colour == is_colour
    np.testing.assert_allclose(image_file.read(str(path)), [[0, 255], [255, 0]], atol=1e-3)


def test_an_image_that_a_camera_turned_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # Orientation: turn by 90 degrees clockwise to show
    path = _save(tmp_path / "a.png", GREY.astype(np.uint8), exif=exif)
    np.testing.assert_array_equal(image_file.read(path), np.rot90(GREY, -1))


def test_dicom(tmp_path):
    path = image_samples.write_dicom(tmp_path / "radiograph", GREY.astype(np.uint16))
    info = image_file.inspect(path, ("sex", "age"))
    assert info == image_file.ImageInfo("1.2.3.4.5", False, {"sex": 0, "age": 6})
    np.testing.assert_array_equal(image_file.read(path), GREY)


def test_dicom_where_low_is_bright(tmp_path):
    path = image_samples.write_dicom(
        tmp_path / "a.dcm", GREY.astype(np.uint16), PhotometricInterpretation="MONOCHROME1"
    )
    np.testing.assert_array_equal(image_file.read(path), 65535 - GREY)


def test_dicom_in_colour(tmp_path):
    image = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)
    path = image_samples.write_dicom(tmp_path / "a.dcm", image)
    assert image_file.inspect(path).is_colour
    np.testing.assert_allclose(image_file.read(path), [[76.245, 149.685]], atol=1e-3)


def test_dicom_with_a_palette(tmp_path):
    path = image_samples.write_dicom(
        tmp_path / "a.dcm",
        np.array([[0, 1, 2]], np.uint8),
        PhotometricInterpretation="PALETTE COLOR",
        RedPaletteColorLookupTableDescriptor=[3, 0, 16],
        GreenPaletteColorLookupTableDescriptor=[3, 0, 16],
        BluePaletteColorLookupTableDescriptor=[3, 0, 16],
        RedPaletteColorLookupTableData=np.array([0, 1000, 1000], "<u2").tobytes(),
        GreenPaletteColorLookupTableData=np.array([0, 0, 1000], "<u2").tobytes(),
        BluePaletteColorLookupTableData=np.array([0, 0, 1000], "<u2").tobytes(),
    )
    assert image_file.inspect(path).is_colour
    np.testing.assert_allclose(image_file.read(path), [[0, 299, 1000]], atol=0.01)


def test_dicom_with_several_frames(tmp_path):
    path = image_samples.write_dicom(tmp_path / "a.dcm", GREY.astype(np.uint16))
    dataset = pydicom.dcmread(path)
    dataset.NumberOfFrames = 2
    dataset.PixelData = dataset.PixelData * 2
    dataset.save_as(path)
    with pytest.raises(rejection.RejectedInput, match="1.2.3.4.5.*2 frames"):
        image_file.read(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(rejection.RejectedInput, match="absent.png: there is no such file"):
        image_file.inspect(str(tmp_path / "absent.png"))


@pytest.mark.parametrize("content", [b"", b"no image", b"GIF89a" + bytes(100)])
def test_what_is_no_image(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(rejection.RejectedInput, match="cannot be read as PNG, TIFF, JPEG or DICOM"):
        image_file.inspect(str(path))


def test_a_file_that_is_cut_off(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    path = pathlib.Path(_save(tmp_path / "a.png", image))
    path.write_bytes(path.read_bytes()[:2000])
    assert not image_file.inspect(str(path)).is_colour
    with pytest.raises(rejection.RejectedInput, match="cannot be read .*export it again"):
        image_file.read(str(path))


def test_several_pages(tmp_path):
    pages = [Image.fromarray(GREY.astype(np.uint8)) for _ in range(3)]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    with pytest.raises(rejection.RejectedInput, match="holds 3 images; give one file for each"):
        image_file.inspect(str(tmp_path / "a.tiff"))


def test_values_that_are_no_numbers(tmp_path):
    path = _save(tmp_path / "a.tiff", np.array([[1, np.nan]], np.float32))
    with pytest.raises(rejection.RejectedInput, match="no finite numbers"):
        image_file.read(path)


@pytest.mark.real_data
def test_real_ultrasound_images():
    folder = pathlib.Path(__file__).parents[3] / "shared" / "data" / "fetal_us"
    for path in sorted(folder.glob("*.tiff")):
        image = image_file.read(str(path))
        assert image.ndim == 2 and min(image.shape) > 50 and image.std() > 10
