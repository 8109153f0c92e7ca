"""Tests of data_prep.annotations."""

import json

import pytest

from data_prep import annotations
from spine_tf import gradings, vertebrae
from tests.data_prep import dicom_samples


def write_csv(path, *rows):
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return str(path)


def write_vertebrae(path, *series_uids):
    content = [vertebrae.to_json(dicom_samples.make_annotation(uid)) for uid in series_uids]
    path.write_text(json.dumps(content[0] if len(content) == 1 else content))
    return str(path)


def test_find_takes_a_file_a_folder_or_what_lies_beside(tmp_path):
    (tmp_path / "deep").mkdir()
    file, other = tmp_path / "a.csv", tmp_path / "deep" / "b.CSV"
    file.touch(), other.touch(), (tmp_path / "c.json").touch()
    beside = ["x/gradings.csv", "x/y.dcm", "z/gradings.csv"]
    assert annotations.find(str(file), "gradings.csv", beside) == [str(file)]
    assert annotations.find(str(tmp_path), "gradings.csv", beside) == [str(file), str(other)]
    assert annotations.find(None, "gradings.csv", beside) == [beside[0], beside[2]]


def test_find_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a .csv file or a folder"):
        annotations.find(str(tmp_path), "gradings.csv", [])
    with pytest.raises(FileNotFoundError, match="absent"):
        annotations.find(str(tmp_path / "absent"), "gradings.csv", [])


def test_one_bad_annotation_of_a_list_leaves_the_others(tmp_path):
    path = tmp_path / "vertebrae.json"
    content = [vertebrae.to_json(dicom_samples.make_annotation(uid)) for uid in ("1.1", "1.2")]
    content[0]["vertebrae"].append(content[0]["vertebrae"][0])
    path.write_text(json.dumps(content))
    found, (rejected,) = annotations.read_vertebrae([str(path)], ["1.1", "1.2"])
    assert list(found) == ["1.2"]
    assert (rejected.path, rejected.uid) == (str(path), "1.1")
    assert "name each level once" in rejected.reason


def test_an_unknown_annotation_is_refused_with_its_reason(tmp_path):
    path = tmp_path / "vertebrae.json"
    unknown = {"status": "unknown", "reason": "no sacrum", "vertebrae": []}
    content = vertebrae.to_json(dicom_samples.make_annotation("1.1")) | unknown
    path.write_text(json.dumps(content))
    found, (rejected,) = annotations.read_vertebrae([str(path)], ["1.1"])
    assert not found and rejected.uid == "1.1"
    assert "`status` is 'unknown'" in rejected.reason and "(no sacrum)" in rejected.reason


def test_annotations_of_absent_series_are_counted_in_one_line(tmp_path):
    path = write_vertebrae(tmp_path / "vertebrae.json", "1.1", "1.2", "1.3")
    found, (rejected,) = annotations.read_vertebrae([path], ["1.1"])
    assert list(found) == ["1.1"] and rejected.uid == "1.2"
    assert "(and 1 more of the file)" in rejected.reason


def test_vertebrae_of_several_files_are_matched_by_series(tmp_path):
    one = write_vertebrae(tmp_path / "one.json", "1.1")
    two = write_vertebrae(tmp_path / "two.json", "1.2", "1.3")
    found, rejected = annotations.read_vertebrae([one, two], ["1.1", "1.2"])
    assert sorted(found) == ["1.1", "1.2"]
    assert [(item.path, item.uid) for item in rejected] == [(two, "1.3")]
    assert "a series that is not here" in rejected[0].reason


def test_broken_vertebrae_are_rejected_by_file(tmp_path):
    content = vertebrae.to_json(dicom_samples.make_annotation("1.1"))
    content["vertebrae"] *= 2
    (tmp_path / "twice.json").write_text(json.dumps(content))
    (tmp_path / "text.json").write_text("no json")
    unnamed = write_vertebrae(tmp_path / "unnamed.json", None)
    again = [write_vertebrae(tmp_path / name, "1.2") for name in ("a.json", "b.json")]
    paths = [str(tmp_path / "twice.json"), str(tmp_path / "text.json"), unnamed, *again]
    found, rejected = annotations.read_vertebrae(paths, ["1.1", "1.2"])
    assert list(found) == ["1.2"]
    assert [item.path for item in rejected] == [*paths[:3], again[1]]
    assert "L4" in rejected[0].reason
    assert "`series_instance_uid` is missing" in rejected[2].reason
    assert "a second time" in rejected[3].reason


def test_gradings_are_read_and_odd_rows_reported_by_number(tmp_path):
    path = write_csv(
        tmp_path / "gradings.csv",
        "study_instance_uid,disc,grading,value",
        "1.2,L4-L5,pfirrmann,3",
        "1.2,L4-L5,modic,",
        "1.2,L5-S1,disc_degeneration,4",
        "9.9,L4-L5,pfirrmann,3",
        "9.8,L4-L5,pfirrmann,3",
        "1.2,L4-L5,pfirrmann,6",
        "1.2,L9-S1,pfirrmann,2",
        "1.2,L4-L5,beauty,2",
        "1.2,L4-L5,pfirrmann,two",
        "1.2,L4-L5,pfirrmann,4",
    )
    grades, rejected = annotations.read_gradings([path], ["1.2"])
    assert grades == {"1.2": {"L4-L5": {"pfirrmann": 3}, "L5-S1": {"disc_degeneration": 4}}}
    reasons = [item.reason for item in rejected]
    assert reasons[0].startswith("rows 5, 6: no study here")
    assert reasons[1].startswith("row 7: `pfirrmann` must be one of")
    assert reasons[2].startswith("row 8: `disc` must be one of")
    assert reasons[3].startswith("row 9: `grading` must be one of")
    assert reasons[4].startswith("row 10: `pfirrmann` must be a whole number")
    assert reasons[5].startswith("row 11: another row")
    assert all(item.path == path for item in rejected)


def test_many_rows_make_one_line(tmp_path):
    rows = ["9.9,L4-L5,pfirrmann,3"] * 25
    path = write_csv(tmp_path / "g.csv", "study_instance_uid,disc,grading,value", *rows)
    _, (rejected,) = annotations.read_gradings([path], [])
    assert rejected.reason.startswith("rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 15 more: ")


def test_missing_column_is_named(tmp_path):
    path = write_csv(tmp_path / "g.csv", "study,disc,grading,value", "1,L4-L5,pfirrmann,2")
    with pytest.raises(ValueError, match="g.csv: .*study_instance_uid is missing"):
        annotations.read_gradings([path], [])


def test_families_never_show_a_patient(tmp_path):
    path = write_csv(
        tmp_path / "families.csv",
        "patient_id,family",
        "ann,F1",
        "bob,F1",
        "stranger,F2",
        "ann,F2",
        "bob,",
    )
    families, rejected = annotations.read_families([path], {"ann", "bob"})
    assert families == {"ann": "F1", "bob": "F1"}
    assert [item.reason.split(":")[0] for item in rejected] == ["row 4", "row 5", "row 6"]
    assert "stranger" not in "".join(item.reason for item in rejected)


def test_byte_order_mark_and_spaces_are_no_part_of_a_value(tmp_path):
    path = tmp_path / "families.csv"
    path.write_text("patient_id,family\n ann , F1\n", encoding="utf-8-sig")
    assert annotations.read_families([str(path)], ["ann"]) == ({"ann": "F1"}, [])


def test_parse_grade():
    pfirrmann = gradings.from_name("pfirrmann")
    assert annotations.parse_grade(pfirrmann, "5") == 5
    assert annotations.parse_grade(pfirrmann, "") == gradings.NOT_GRADED
    with pytest.raises(ValueError, match="must be one of"):
        annotations.parse_grade(pfirrmann, "0")
