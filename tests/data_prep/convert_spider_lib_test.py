"""Tests of data_prep.convert_spider_lib."""

import json
import os
import pathlib
import pickle

import numpy as np
import pytest

from data_prep import convert_spider_lib, deidentify, rejection
from spine_tf import geometry, levels, vertebrae
from tests.data_prep import spider_samples

_KEY = b"k" * 32
_SPIDER = pathlib.Path(__file__).parents[3] / "shared" / "data" / "spider_t2space"


def make_plan(folder, **inputs):
    return convert_spider_lib.plan(convert_spider_lib.Inputs(str(folder), **inputs), _KEY)


def names(plan):
    return [os.path.basename(request.path) for request in plan.requests]


def sacrum_object(image):
    corners_mm = geometry.to_patient(
        spider_samples.make_affine(), [[4, 81, 12], [4, 81, 30], [4, 93, 30], [4, 93, 12]]
    )
    found = vertebrae.Vertebra(levels.VertebraLevel.S1, corners_mm)
    return {**vertebrae.to_json(vertebrae.Annotation((found,))), "image": image}


def test_one_t2_scan_per_patient_in_the_order_of_series(tmp_path):
    spider_samples.write_folder(tmp_path, ["10_t2_SPACE", "2_t1", "2_t2", "2_t2_SPACE"])
    plan = make_plan(tmp_path)
    assert names(plan) == ["2_t2.mha", "10_t2_SPACE.mha"]
    assert plan.not_needed == {"T1 series": 1, "further series of a patient": 1}
    assert not plan.rejections
    preferred = make_plan(tmp_path, series=("t2_SPACE", "t2"))
    assert names(preferred) == ["2_t2_SPACE.mha", "10_t2_SPACE.mha"]


def test_request_holds_pseudonyms_and_grades(tmp_path):
    spider_samples.write_folder(tmp_path, ["3_t2"])
    (request,) = make_plan(tmp_path).requests
    assert request.subject_key == deidentify.pseudonym(_KEY, "subject", "3")
    assert request.family_key == deidentify.pseudonym(_KEY, "family", "3")
    assert sorted(request.gradings) == ["L3-L4", "L4-L5", "L5-S1"]
    # Written: label 1, Modic 0, endplates 1 and 0, ..., Pfirrmann 2.
    assert request.gradings["L5-S1"] == {
        "modic": 0,
        "upper_endplate_defect": 1,
        "lower_endplate_defect": 0,
        "spondylolisthesis": 0,
        "disc_herniation": 0,
        "disc_narrowing_present": 1,
        "disc_bulging": 1,
        "pfirrmann": 2,
    }


@pytest.mark.parametrize("extension", [".mha", ".nii.gz"])
def test_load_gives_volume_and_quads(tmp_path, extension):
    spider_samples.write_folder(tmp_path, ["3_t2"], extension)
    (request,) = make_plan(tmp_path).requests
    scan, annotation = convert_spider_lib.load(pickle.loads(pickle.dumps(request)))
    np.testing.assert_allclose(scan.affine, spider_samples.make_affine(), atol=1e-5)
    assert scan.array.shape == spider_samples.make_mask().shape
    assert [v.level.value for v in annotation.vertebrae] == ["L3", "L4", "L5"]
    assert list(annotation.disc_corners_mm) == [levels.DiscLevel.L5_S1]


@pytest.mark.parametrize("form", ["patients", "list", "folder"])
def test_sacrum_is_matched_by_image(tmp_path, form):
    spider_samples.write_folder(tmp_path, ["3_t2", "4_t2"])
    item = sacrum_object("3_t2.mha")
    given = None
    if form == "folder":
        (tmp_path / "sacra").mkdir()
        (tmp_path / "sacra" / "three.json").write_text(json.dumps(item))
        given = str(tmp_path / "sacra")
    else:
        content = {"patients": {"3": item}} if form == "patients" else [item]
        (tmp_path / "sacrum.json").write_text(json.dumps(content))
    with_s1, without = make_plan(tmp_path, sacrum=given).requests
    _, annotation = convert_spider_lib.load(with_s1)
    assert annotation.vertebrae[-1].level is levels.VertebraLevel.S1
    assert not annotation.disc_corners_mm
    assert without.payload.sacrum is None


def test_sacrum_file_of_another_kind_is_an_error(tmp_path):
    spider_samples.write_folder(tmp_path, ["3_t2"])
    (tmp_path / "sacrum.json").write_text('{"patients": {"3": {"format": "other"}}}')
    with pytest.raises(ValueError, match="sacrum.json: `format` must be"):
        make_plan(tmp_path)


def test_rows_outside_the_lumbar_discs_are_not_needed_and_odd_rows_reported(tmp_path):
    spider_samples.write_folder(tmp_path, ["3_t2"])
    with open(tmp_path / "radiological_gradings.csv", "a", encoding="utf-8") as file:
        file.write("3,7,0,0,0,0,0,0,0,2\n3,0,0,0,0,0,0,0,0,2\n3,10,0,0,0,0,0,0,0,2\n")
        file.write("9,1,0,0,0,0,0,0,0,2\n3,1,0,0,0,0,0,0,0,2\n3,x,0,0,0,0,0,0,0,2\n")
        file.write("3,4,0,0,0,0,0,,0,7\n")
    plan = make_plan(tmp_path)
    assert plan.not_needed == {"gradings of discs outside T12-L1 to L5-S1": 3}
    assert [item.reason.split(": ")[0] for item in plan.rejections] == [
        "row 8",
        "row 9",
        "row 10",
        "row 11",
    ]
    assert "disc_narrowing_present" not in plan.requests[0].gradings["L2-L3"]
    assert "pfirrmann" not in plan.requests[0].gradings["L2-L3"]
    assert plan.requests[0].gradings["L2-L3"]["modic"] == 0


def test_image_without_mask_is_rejected(tmp_path):
    spider_samples.write_folder(tmp_path, ["3_t2", "4_t2"])
    os.remove(tmp_path / "masks" / "3_t2.mha")
    plan = make_plan(tmp_path)
    assert names(plan) == ["4_t2.mha"]
    assert "3_t2.mha" in str(plan.rejections[0])


def test_mask_of_another_size_and_broken_files_are_rejected(tmp_path):
    spider_samples.write_folder(tmp_path, ["3_t2", "4_t2"])
    smaller = spider_samples.make_mask()[:-1]
    spider_samples.write_image(
        tmp_path / "masks" / "3_t2.mha", smaller, spider_samples.make_affine()
    )
    image = tmp_path / "images" / "4_t2.mha"
    image.write_bytes(image.read_bytes()[:300])
    other, broken = make_plan(tmp_path).requests
    with pytest.raises(rejection.RejectedInput, match="does not cover its image"):
        convert_spider_lib.load(other)
    with pytest.raises(rejection.RejectedInput, match="4_t2.mha.*cannot be read"):
        convert_spider_lib.load(broken)


def test_folder_of_another_layout_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a SPIDER folder"):
        make_plan(tmp_path)
    spider_samples.write_folder(tmp_path, ["3_t1"])
    with pytest.raises(ValueError, match="no image in images/ is of series t2, t2_SPACE"):
        make_plan(tmp_path)


@pytest.mark.real_data
def test_real_folder_is_planned():
    plan = make_plan(_SPIDER)
    assert len(plan.requests) == 21
    assert not plan.rejections
    assert sum(request.payload.sacrum is not None for request in plan.requests) == 18
    num_rows = sum(len(request.gradings) for request in plan.requests)
    assert num_rows + sum(plan.not_needed.values()) == 160
