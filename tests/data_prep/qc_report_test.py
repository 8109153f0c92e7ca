"""Tests of data_prep.qc_report."""

import json

import pytest

from data_prep import accounts, qc_report, rejection
from spine_tf import levels

_NAMES = [level.value for level in levels.LUMBAR_VERTEBRAE]


def rows(key, median=100.0, names=_NAMES, days=0, subject=""):
    """Rows of the index of one scan."""
    return [
        {
            "scan": [key],
            "subject": subject or key,
            "days": [days],
            "field_strength_t": [1.5],
            "median": [median],
            "spacing_mm": [4.4, 0.62, 0.6],
            "width_mm": [38.0],
            "level": name,
        }
        for name in names
    ]


def test_scans_of_an_index():
    pair = rows("a")[0] | {"scan": ["a", "b"], "days": [0, 400], "median": [100.0, 200.0]}
    pair |= {"field_strength_t": [1.5, 3.0], "width_mm": [38.0, 40.0]}
    pair |= {"spacing_mm": [4.4, 0.62, 0.6, 5.0, 0.7, 0.5]}
    first, second = qc_report.scans([pair, {"scan": "of slices"}])
    assert (first.key, first.days, first.field_strength_t) == ("a", 0, 1.5)
    assert (second.key, second.days, second.field_strength_t) == ("b", 400, 3.0)
    assert (
        second.measures["slice distance"] == 5.0 and second.measures[qc_report._INTENSITY] == 200.0
    )


def test_the_unusual_is_found():
    found = qc_report.scans(
        row
        for i in range(9)
        for row in rows(f"s{i}", 100.0 + i, _NAMES if i != 3 else ["L1", "L2", "L4", "L5", "S1"])
    )
    odd = qc_report.unusual(found)
    assert odd["s3"] == {"L3 is missing": 4.0, "no T12": 1.0}
    assert not any(reasons for key, reasons in odd.items() if key != "s3")
    odd = qc_report.unusual([*found, *qc_report.scans(rows("bright", 900.0))])
    (reason,) = odd["bright"]
    assert reason.startswith("intensity before normalisation 900, most others near 10")


def test_a_scan_that_ends_early_is_marked_a_little():
    discs = [disc.value for disc in levels.LUMBAR_DISCS]
    odd = qc_report.unusual(
        [
            *qc_report.scans(rows("short", names=_NAMES[:-1])),
            *qc_report.scans(rows("d", names=discs)),
        ]
    )
    assert odd == {"short": {"no S1": 1.0}, "d": {}}


def test_an_unusual_length_has_its_unit():
    found = [one for i in range(9) for one in qc_report.scans(rows(f"s{i}"))]
    wide = [row | {"spacing_mm": [8.0, 0.62, 0.6]} for row in rows("wide")]
    odd = qc_report.unusual([*found, *qc_report.scans(wide)])
    assert list(odd["wide"]) == ["slice distance 8 mm, most others near 4.4 mm"]


def test_table_of_grades():
    discs = [row | {"grades": {"modic": 1}} for row in rows("a", names=["L4-L5", "L5-S1"])]
    discs += [row | {"grades": {"modic": 3}} for row in rows("b", names=["L4-L5"])]
    assert qc_report.grade_table([*discs, *rows("c", names=["L4-L5"])]) == [
        ["Modic type", 0, 0, 0, 0, 0, 0, 0, 0],
        ["Modic type", 1, 2, 0, 0, 0, 0, 1, 1],
        ["Modic type", 2, 0, 0, 0, 0, 0, 0, 0],
        ["Modic type", 3, 1, 0, 0, 0, 0, 1, 0],
    ]


@pytest.mark.parametrize("strength, told", [(0.0, "unknown"), (1.5, "1.5 T")])
def test_field_strength_on_the_page(tmp_path, strength, told):
    (tmp_path / "qc").mkdir()
    lines = [json.dumps(row | {"field_strength_t": [strength]}) for row in rows("aa")]
    (tmp_path / "index-disc.jsonl").write_text("\n".join(lines) + "\n")
    qc_report.write(str(tmp_path), ["disc"])
    page = (tmp_path / "qc" / "index.html").read_text()
    assert f">{told}</text>" in page and ">0 T<" not in page
    assert "1 scan of 1 subject; 0 rejections." in page and "No disc is graded." in page


@pytest.mark.parametrize(
    "reason, kind",
    [
        ("has 3 of its slices missing (of 15); export", "has N of its slices missing"),
        ("its sagittal T2 series 1.2.840.1 has no annotation; add", "its sagittal TN series … has"),
        ("has the pixels of /data/Doe Jane Ann/x.dcm", "has the pixels of …"),
        ("has the pixels of C:\\Doe Jane Ann\\x.dcm", "has the pixels of …"),
        ("`grade` must be a number, got 'secret'.", "`grade` must be a number, got …."),
        ("quarantined: its PatientID is empty; give", "its PatientID is empty"),
    ],
)
def test_reasons_without_what_they_are_about(reason, kind):
    assert qc_report.reason_kind(reason).startswith(kind)
    assert "Jane" not in qc_report.reason_kind(reason)


def test_page_is_whole_and_holds_no_uid_or_path(tmp_path):
    (tmp_path / "qc").mkdir()
    lines = [json.dumps(row) for key in ("aa", "bb") for row in rows(key, subject="s")]
    (tmp_path / "index-disc.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "qc" / "bb.png").write_bytes(b"picture")
    (tmp_path / "qc" / "bb-outlines.png").write_bytes(b"outlines")
    rejected = [rejection.Rejection("/secret/path", "1.2.3.4", "has no date; see /secret/path")]
    ended = accounts.Files({"/secret/path": "aa"}, {"notes": "not DICOM"}, {"broken": "cut off"})
    accounts.write(str(tmp_path), ended, {})
    qc_report.write(str(tmp_path), ["disc"], rejected, {"files: not DICOM": 3})
    page = (tmp_path / "qc" / "index.html").read_text()
    assert "2 scans of 1 subject; 1 rejection" in page
    assert "rejection. 3 files found: 1 converted, 1 not needed, 1 rejected. Scans" in page
    assert "has no date" in page and "files: not DICOM" in page
    assert "secret" not in page and "1.2.3.4" not in page
    outlines, crops = page.index("base64,b3V0bGluZXM="), page.index("base64,cGljdHVyZQ==")
    assert outlines < crops and 'alt="outlines of bb"' in page
    assert 'href="bb-outlines.png"' in page and 'href="bb.png"' in page
    assert "http" not in page and 'src="data:' in page  # nothing from elsewhere
