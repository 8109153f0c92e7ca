"""Tests of data_prep.series_stacks; whole series are in accounts_test."""

import dataclasses

import pytest

from data_prep import dicom_header, rejection, series_stacks
from tests.data_prep import dicom_samples


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    paths = dicom_samples.write_series(tmp_path_factory.mktemp("series"))
    return [dicom_header.read_headers(path)[0] for path in paths]


def copies(slices, **changes):
    return [dataclasses.replace(item, path=f"z{item.path}", **changes) for item in slices]


def never(path, other):
    raise AssertionError("pixels are compared where headers differ")


def test_copies_are_left_out_and_the_first_path_stays(slices):
    found = series_stacks.group([*copies(slices), *slices], lambda path, other: True)
    (series,) = found.series
    assert series.slices == tuple(slices)
    assert found.unused == {f"z{item.path}": "copy of another file" for item in slices}


def test_other_pixels_are_no_copy(slices):
    found = series_stacks.group([*slices, *copies(slices)], lambda path, other: False)
    assert [len(series.slices) for series in found.series] == [8]
    assert not found.unused and not found.rejections


@pytest.mark.parametrize("changes", [{"patient_id": "another"}, {"echo_time_ms": 90.0}])
def test_another_header_is_no_copy(slices, changes):
    found = series_stacks.group([*slices, *copies(slices, **changes)], never)
    assert sum(len(series.slices) for series in found.series) == 8


@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_copies_the_one_that_can_be_read_stays(slices, is_first):
    broken = slices[1].path if is_first else f"z{slices[1].path}"

    def is_same_image(path, other):
        raise rejection.RejectedInput(broken, "", "cut off")

    found = series_stacks.group([*slices, *copies(slices[1:2])], is_same_image)
    (series,) = found.series
    assert len(series.slices) == 4 and broken not in series.paths
    assert [item.path for item in found.rejections] == [broken]
    assert found.rejected == {broken: "cut off"}


def test_stacks_are_told_apart_by_echo_then_acquisition(slices):
    late = copies(slices, echo_time_ms=20.0, sop_instance_uid="1")
    late += [
        dataclasses.replace(item, path=f"y{item.path}", acquisition=2, sop_instance_uid="2")
        for item in slices
    ]
    found = series_stacks.group([*late, *slices], never)
    told = [(item.first.echo_time_ms, item.first.acquisition) for item in found.series]
    assert told == [(20.0, None), (100.0, None), (100.0, 2)]


def test_a_mosaic_is_one_rejection_of_its_series(slices):
    mosaic = [dataclasses.replace(item, image_type=("ORIGINAL", "MOSAIC")) for item in slices]
    found = series_stacks.group(mosaic, never)
    assert not found.series
    (rejected,) = found.rejections
    assert rejected.uid == "1.2.3.4" and "is a mosaic" in rejected.reason
    assert set(found.rejected) == {item.path for item in slices}
