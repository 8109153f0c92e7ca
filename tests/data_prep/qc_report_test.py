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
    assert second.measures["slice distance"] == 5.0 and second.measures["intensity"] == 200.0


def test_the_unusual_is_found():
    found = qc_report.scans(
        row
        for i in range(9)
        for row in rows(f"s{i}", 100.0 + i, _NAMES if i != 3 else ["L1", "L2", "L4"])
    )
    odd = qc_report.unusual(found)
    assert odd["s3"] == {"L3 is missing": 4.0}
    assert not any(reasons for key, reasons in odd.items() if key != "s3")
    odd = qc_report.unusual([*found, *qc_report.scans(rows("bright", 900.0))])
    (reason,) = odd["bright"]
    assert reason.startswith("intensity 900, others 10")


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
    assert "2 scans of 1 subjects; 1 rejections" in page
    assert "rejections. 3 files found: 1 converted, 1 not needed, 1 rejected. Scans" in page
    assert "has no date" in page and "files: not DICOM" in page
    assert "secret" not in page and "1.2.3.4" not in page
    outlines, crops = page.index("base64,b3V0bGluZXM="), page.index("base64,cGljdHVyZQ==")
    assert outlines < crops and 'alt="outlines of bb"' in page
    assert "http" not in page and 'src="data:' in page  # nothing from elsewhere
