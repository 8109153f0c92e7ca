"""Tests of the decoder of tensorflow-io."""

import importlib.util
import pathlib

import numpy as np
import pytest

from data_prep import convert_dicom, dicom, tfio_pixels
from spine_tf import cli
from tests import tiny_export
from tests.data_prep import dicom_samples

_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"
_HAS_TFIO = importlib.util.find_spec("tensorflow_io") is not None
_needs_tfio = pytest.mark.skipif(
    not _HAS_TFIO, reason="tensorflow-io is not installed in this environment"
)


@_needs_tfio
@pytest.mark.real_data
@pytest.mark.parametrize("number", range(1, 10))
def test_the_same_pixels_in_nine_transfer_syntaxes(number):
    path = str(_DATA / "transfer_syntaxes" / f"{number}.dcm")
    expected = dicom.read_pixels(path)
    assert expected.max() == 2362
    np.testing.assert_array_equal(dicom.read_pixels(path, tfio_pixels.TFIO), expected)


@_needs_tfio
@pytest.mark.real_data
@pytest.mark.parametrize(
    "values",
    [
        {"RescaleSlope": "0.37", "RescaleIntercept": "-100.5"},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PixelRepresentation": 1, "BitsStored": 12, "HighBit": 11},
        {"BitsStored": 10, "HighBit": 11},
        {"PatientName": "somebody", "WindowCenter": "40", "WindowWidth": "400"},
    ],
)
def test_headers_that_dcmtk_would_apply(tmp_path, values):
    path = tmp_path / "image.dcm"
    path.write_bytes((_DATA / "transfer_syntaxes" / "1.dcm").read_bytes())
    # Every stored value of 12 bits, so that the sign and the highest bits are there.
    ramp = np.arange(384 * 384, dtype=np.uint16).reshape(384, 384) % 4096
    dicom_samples.edit(path, PixelData=ramp.tobytes(), **values)
    expected = dicom.read_pixels(str(path))
    np.testing.assert_array_equal(dicom.read_pixels(str(path), tfio_pixels.TFIO), expected)


@_needs_tfio
def test_the_conversion_gives_the_same_records(tmp_path):
    tiny_export.write_study(str(tmp_path / "in"))
    found = []
    for decoder in tfio_pixels.DECODERS:
        out = tmp_path / decoder
        arguments = [f"--input_dir={tmp_path / 'in'}", f"--output_dir={out}", "--num_shards=1"]
        arguments += ["--crop_scale=0.5"]
        arguments += [f"--key_file={tmp_path / 'key'}", f"--decoder={decoder}"]
        assert cli.call(convert_dicom.define_flags, convert_dicom.main, arguments) == cli.EXIT_DONE
        found.append({path.name: path.read_bytes() for path in out.glob("*.tfrecord")})
    assert found[0] == found[1] and found[0]


def test_without_tensorflow_io(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="must be pydicom without tensorflow-io, got 'tfio'"):
        tfio_pixels.check(tfio_pixels.TFIO)


def test_an_unknown_decoder():
    with pytest.raises(ValueError, match="`decoder` must be one of pydicom, tfio, got 'gdcm'"):
        tfio_pixels.check("gdcm")
