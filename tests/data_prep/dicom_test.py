"""Tests of data_prep.dicom."""

import os
import pathlib
import random
import subprocess
import sys

import numpy as np
import pydicom
import pytest

from data_prep import dicom, dicom_header, rejection
from tests.data_prep import dicom_samples, odd_files

_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def only_series(folder):
    scan = dicom.scan_folder(str(folder))
    assert not scan.rejections
    (series,) = scan.series
    return series


@pytest.mark.parametrize("tilt_deg", [0, 20, -20])
def test_read_volume_gives_what_was_written(tmp_path, tilt_deg):
    affine = dicom_samples.make_affine(tilt_deg=tilt_deg)
    dicom_samples.write_series(tmp_path, affine)
    read = dicom.read_volume(only_series(tmp_path))
    np.testing.assert_array_equal(read.array, dicom_samples.make_array())
    np.testing.assert_allclose(read.affine, affine, atol=1e-6)
    np.testing.assert_allclose(read.spacing_mm, [5.0, 0.9, 0.6], atol=1e-6)


def test_left_to_right_series_becomes_canonical(tmp_path):
    affine = dicom_samples.make_affine()
    affine[0] = [-5.0, 0, 0, 5.0]
    dicom_samples.write_series(tmp_path, affine)
    read = dicom.read_volume(only_series(tmp_path))
    np.testing.assert_array_equal(read.array, dicom_samples.make_array()[::-1])
    np.testing.assert_allclose(read.affine, dicom_samples.make_affine(), atol=1e-6)


def test_order_of_files_and_instance_numbers_does_not_matter(tmp_path):
    paths = dicom_samples.write_series(tmp_path / "a")
    first = dicom.read_volume(only_series(tmp_path / "a"))
    names = [f"{i}.anything" for i in range(len(paths))]
    random.Random(1).shuffle(names)
    (tmp_path / "b").mkdir()
    for number, (path, name) in enumerate(zip(paths, names, strict=True)):
        dicom_samples.edit(path, InstanceNumber=10 - number)
        os.rename(path, tmp_path / "b" / name)
    second = dicom.read_volume(only_series(tmp_path / "b"))
    np.testing.assert_array_equal(first.array, second.array)
    np.testing.assert_array_equal(first.affine, second.affine)


def test_positions_win_over_spacing_between_slices(tmp_path):
    for path in dicom_samples.write_series(tmp_path):
        dicom_samples.edit(path, SpacingBetweenSlices="3")
    assert dicom.read_volume(only_series(tmp_path)).spacing_mm[0] == pytest.approx(5.0)


def test_scan_counts_what_is_not_needed_and_rejects_what_is_broken(tmp_path):
    dicom_samples.write_series(tmp_path / "series")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty.dcm").write_bytes(b"")
    scan = dicom.scan_folder(str(tmp_path))
    assert scan.num_files == 6
    assert scan.not_needed == {"not DICOM": 1}
    assert [os.path.basename(item.path) for item in scan.rejections] == ["empty.dcm"]
    assert len(scan.series) == 1


def test_scan_of_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent: there is no such folder"):
        dicom.scan_folder(str(tmp_path / "absent"))


def test_two_echoes_of_one_series_are_told_apart(tmp_path):
    dicom_samples.write_series(tmp_path / "pd", echo_time_ms=20.0)
    dicom_samples.write_series(tmp_path / "t2", echo_time_ms=100.0)
    echoes = [s.first.echo_time_ms for s in dicom.scan_folder(str(tmp_path)).series]
    assert echoes == [20.0, 100.0]


def test_rescale_is_applied(tmp_path):
    (path, *_) = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(path, RescaleSlope="2", RescaleIntercept="-3")
    # The first voxels are 0, 1, 2: 2 * v - 3.
    np.testing.assert_array_equal(dicom.read_pixels(path)[0, 0, :3], [-3, -1, 1])


def test_monochrome1_is_inverted(tmp_path):
    (path, *_) = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(path, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(dicom.read_pixels(path)[0, 0, :3], [4095, 4094, 4093])


def test_signed_pixels(tmp_path):
    pixels = np.array([[-5, 7], [0, 1]], np.int16)
    (path, *_) = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(path, PixelRepresentation=1, Rows=2, Columns=2, PixelData=pixels.tobytes())
    np.testing.assert_array_equal(dicom.read_pixels(path)[0], pixels)


def test_bits_above_the_stored_ones_are_ignored(tmp_path):
    pixels = np.array([[0xF001, 0x1FFF], [0x8000, 0x0002]], np.uint16)
    (path, *_) = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(
        path, BitsStored=12, HighBit=11, Rows=2, Columns=2, PixelData=pixels.tobytes()
    )
    np.testing.assert_array_equal(dicom.read_pixels(path)[0], [[1, 4095], [0, 2]])


def test_stored_bits_may_lie_above_others(tmp_path):
    pixels = np.array([[0b1111_1100_0000_0101, 0b0000_1000_0000_0000]], np.uint16)
    (path, *_) = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(
        path, BitsStored=10, HighBit=11, Rows=1, Columns=2, PixelData=pixels.tobytes()
    )
    np.testing.assert_array_equal(dicom.read_pixels(path)[0], [[0b11_0000_0001, 0b10_0000_0000]])


def test_truncated_file_is_rejected_by_name(tmp_path):
    paths = dicom_samples.write_series(tmp_path)
    content = pathlib.Path(paths[1]).read_bytes()
    pathlib.Path(paths[1]).write_bytes(content[:-20])
    with pytest.raises(rejection.RejectedInput, match="IM-0002.dcm.*cannot be read.*export"):
        dicom.read_volume(only_series(tmp_path))


@pytest.mark.real_data
def test_truncated_compressed_file_is_rejected_by_name_and_uid(tmp_path):
    (source, *_) = sorted((_DATA / "lumbar_study" / "dicom" / "SagT2frFSES").glob("*.dcm"))
    uid = pydicom.dcmread(source, stop_before_pixels=True).SOPInstanceUID
    path = tmp_path / "cut.dcm"
    path.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(rejection.RejectedInput, match="cut.dcm.*cut off; export") as caught:
        dicom.read_pixels(str(path))
    assert caught.value.rejection.uid == uid


def test_more_frames_than_the_header_tells_are_rejected(tmp_path):
    (path, *_) = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(path, PixelData=bytes(2 * 2 * 6 * 5))
    with pytest.raises(rejection.RejectedInput, match="2 frames of pixels"):
        dicom.read_pixels(path)


def test_colour_is_rejected(tmp_path):
    (path, *_) = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(path, PhotometricInterpretation="RGB")
    with pytest.raises(rejection.RejectedInput, match="PhotometricInterpretation"):
        dicom.read_pixels(path)


def test_enhanced_multi_frame_file_is_one_series(tmp_path):
    array, affine = dicom_samples.make_array(), dicom_samples.make_affine()
    odd_files.write_enhanced(str(tmp_path / "all"), array, affine)
    series = only_series(tmp_path)
    assert series.first.echo_time_ms == 100.0
    read = dicom.read_volume(series)
    # Each frame has its own intercept, the index of its slice.
    np.testing.assert_array_equal(read.array, array + np.arange(4).reshape(4, 1, 1))
    np.testing.assert_allclose(read.affine, affine, atol=1e-6)


@pytest.mark.real_data
def test_nine_transfer_syntaxes_give_the_same_pixels():
    paths = sorted((_DATA / "transfer_syntaxes").glob("*.dcm"))
    assert len(paths) == 9
    first, *others = [dicom.read_pixels(str(path)) for path in paths]
    assert first.sum() > 0
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.real_data
def test_every_malformed_file_is_usable_not_needed_or_rejected():
    headers, pixels = {}, {}
    for path in sorted((_DATA / "malformed").rglob("*.dcm")):
        try:
            dicom_header.read_headers(str(path))
            headers[path.name] = "usable"
        except dicom_header.NotNeeded:
            headers[path.name] = "not needed"
        except rejection.RejectedInput as error:
            assert path.name in str(error)
            headers[path.name] = "rejected"
        try:
            pixels[path.name] = dicom.read_pixels(str(path)).ndim == 3
        except rejection.RejectedInput as error:
            assert path.name in str(error)
            pixels[path.name] = False
    # All are CT, so a sound header is not needed; nothing crashes.
    assert headers["BASELINE_valid_ct.dcm"] == "not needed"
    assert pixels["BASELINE_valid_ct.dcm"]
    assert headers["TC0345_deflate_corrupt.dcm"] == "rejected"
    assert not pixels["TC0285_buf_half.dcm"]
    assert set(headers.values()) == {"not needed", "rejected"}


@pytest.mark.real_data
def test_real_sagittal_series_is_canonical():
    folder = _DATA / "lumbar_study" / "dicom" / "SagT2frFSES"
    read = dicom.read_volume(only_series(folder))
    assert read.array.shape == (12, 512, 512)
    np.testing.assert_allclose(read.spacing_mm, [5.0, 0.5469, 0.5469], atol=1e-4)


_LIMITED = """
import resource, signal, sys, time
from data_prep import dicom, dicom_header, rejection
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
for path in sys.argv[1:]:
    signal.alarm(10)  # ends this process
    for read in (dicom_header.read_headers, dicom.read_pixels):
        try:
            read(path)
        except (dicom_header.NotNeeded, rejection.RejectedInput):
            pass
print("end")
"""


@pytest.mark.real_data
def test_malformed_files_take_no_10_seconds_and_no_3_gib_also_as_mr(tmp_path):
    paths = sorted(map(str, (_DATA / "malformed").rglob("*.dcm")))
    assert len(paths) > 60
    for number, path in enumerate(list(paths)):
        content = pathlib.Path(path).read_bytes()
        content = content.replace(b"5.1.4.1.1.2\0", b"5.1.4.1.1.4\0")  # CT to MR Image Storage
        copy = tmp_path / f"{number}.dcm"
        copy.write_bytes(content.replace(b"CS\x02\0CT", b"CS\x02\0MR"))
        paths.append(str(copy))
    done = subprocess.run([sys.executable, "-c", _LIMITED, *paths], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "end\n")
    assert "Traceback" not in done.stderr  # of libjpeg's own there may be a line
