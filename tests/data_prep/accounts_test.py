"""Tests of data_prep.accounts: what becomes of everything that real archives hold."""

import collections
import csv
import json
import os
import pathlib
import shutil
import stat
import tempfile

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from data_prep import accounts, convert_dicom, convert_dicom_lib, dicom, rejection
from spine_tf import cli, vertebrae
from tests.data_prep import dicom_samples, odd_files

_KEY = b"k" * 32
_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def convert(folder):
    """Plans and reads all scans; returns the volumes, what was rejected and the accounts."""
    plan = convert_dicom_lib.plan(convert_dicom_lib.Inputs(str(folder)), _KEY)
    volumes, bad_scans = [], {}
    for request in plan.requests:
        try:
            volumes.append(convert_dicom_lib.load(request)[0])
        except rejection.RejectedInput as error:
            bad_scans[request.scan_key] = str(error)
    reasons = [item.reason for item in plan.rejections] + list(bad_scans.values())
    return volumes, reasons, accounts.settle(plan.files, bad_scans)


def annotate(folder, *found):
    (folder / "vertebrae.json").write_text(json.dumps([vertebrae.to_json(item) for item in found]))


@pytest.mark.parametrize("name", odd_files.CASES)
def test_every_oddity_ends_as_decided(tmp_path, name):
    odd, good = tmp_path / "odd", tmp_path / "good"
    case = odd_files.write_case(odd, name)
    uid = dicom_samples.write_study(good, "1.9", patient_id="another")
    affine = dicom_samples.make_affine(tilt_deg=case.tilt_deg)
    annotate(tmp_path, odd_files.annotation(affine), dicom_samples.make_annotation(uid))
    volumes, reasons, rows = convert(tmp_path)
    # The good study holds T2, T1 and an axial series of 4 files; beside it is vertebrae.json.
    expected = {"converted": 4, "not needed": 9 + case.not_needed, "rejected": case.rejected}
    expected[case.outcome] += case.slices
    counts = collections.Counter(row.outcome for row in rows)
    assert counts == collections.Counter(expected)
    assert [row.path for row in rows] == dicom.list_files(str(tmp_path))
    assert all(row.why for row in rows if row.outcome != "converted")
    whys = [row.why for row in rows if row.outcome == "rejected"]
    assert all(case.why in why for why in whys)
    assert bool(reasons) == bool(whys)
    if case.outcome == "converted":
        array = dicom_samples.make_array()
        assert any(np.array_equal(found.array, array) for found in volumes)
        for found in volumes:
            np.testing.assert_allclose(found.spacing_mm, [5.0, 0.9, 0.6], atol=1e-6)
    assert len(volumes) == 1 + (case.outcome == "converted")


@hypothesis.settings(max_examples=6, deadline=None, derandomize=True)
@hypothesis.given(
    st.lists(
        st.sampled_from([name for name in odd_files.CASES if "encoding" not in name]).filter(
            lambda name: name != "deflated"
        ),
        min_size=2,
        max_size=5,
        unique=True,
    )
)
def test_a_mixed_tree_adds_up(names):
    with tempfile.TemporaryDirectory() as place:
        root = pathlib.Path(place)
        found = [dicom_samples.make_annotation(dicom_samples.write_study(root / "good", "1.9"))]
        for number, name in enumerate(names, start=3):
            odd_files.write_case(root / str(number), name)
            affine = dicom_samples.make_affine(tilt_deg=odd_files.CASES[name].tilt_deg)
            uid = odd_files.renumber(root / str(number), number)
            found.append(odd_files.annotation(affine, uid))
        annotate(root, *found)
        (root / "notes\n.txt").write_text("no image")
        (root / "empty.dcm").write_bytes(b"")
        os.symlink(root / "nowhere", root / "link")
        os.mkfifo(root / "pipe.dcm")
        _, reasons, rows = convert(root)
        assert [row.path for row in rows] == dicom.list_files(place)
        assert {row.outcome for row in rows} == set(accounts.OUTCOMES)
        outcomes = {os.path.basename(row.path): (row.outcome, row.why) for row in rows}
        assert outcomes["notes\n.txt"] == ("not needed", "not DICOM")
        assert outcomes["pipe.dcm"] == ("not needed", "no regular file")
        assert outcomes["empty.dcm"][0] == outcomes["link"][0] == "rejected"
        whys = {row.why for row in rows if row.outcome == "rejected"}
        assert all(any(reason in why or why in reason for reason in reasons) for why in whys)
        accounts.write(place, accounts.Files({}, {row.path: row.why for row in rows}, {}), {})
        path = root / "local" / "files.csv"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert f"{len(rows)} files found: 0 converted, {len(rows)} not needed, 0 rejected" in (
            accounts.read_summary(place)
        )


def test_a_scan_that_cannot_be_read_takes_its_files_with_it(tmp_path):
    found = accounts.Files({"b": "k1", "a": "k1", "c": "k2"}, {"d": "not DICOM"}, {"e": "broken"})
    assert accounts.settle(found, {"k1": "b: cut off"}) == [
        accounts.Row("a", "rejected", "b: cut off"),
        accounts.Row("b", "rejected", "b: cut off"),
        accounts.Row("c", "converted"),
        accounts.Row("d", "not needed", "not DICOM"),
        accounts.Row("e", "rejected", "broken"),
    ]
    accounts.write(str(tmp_path), found, {"k1": "b: cut off"})
    assert "5 files found: 1 converted, 1 not needed, 3 rejected" in (
        accounts.read_summary(str(tmp_path))
    )


def test_without_accounts_there_is_no_summary(tmp_path):
    accounts.write(str(tmp_path), None, {})
    assert accounts.read_summary(str(tmp_path)) == ""


@pytest.mark.real_data
def test_a_good_study_is_whole_among_malformed_files(tmp_path, capfd):
    studies, out = tmp_path / "studies", tmp_path / "out"
    folder = studies / "dicom" / "SagT2frFSES"
    shutil.copytree(_DATA / "lumbar_study" / "dicom" / "SagT2frFSES", folder)
    shutil.copy(_DATA / "lumbar_study" / "vertebrae.json", studies)
    malformed = sorted((_DATA / "malformed").rglob("*.dcm"))
    for path in malformed:
        shutil.copy(path, folder / path.name)
    arguments = (
        f"--input_dir={studies}",
        f"--output_dir={out}",
        f"--key_file={tmp_path / 'key'}",
        "--crop_scale=0.5",
        "--num_processes=1",
    )
    status = cli.call(convert_dicom.define_flags, convert_dicom.main, arguments)
    printed = "".join(capfd.readouterr())
    assert status == cli.EXIT_REJECTED
    assert "Traceback" not in printed and "pydicom" not in printed
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["counts"]["scans"] == 1
    assert manifest["kinds"]["vertebra_pairs"]["num_records"] == 7
    with open(out / "local" / "files.csv", newline="") as file:
        rows = {os.path.basename(row["file"]): row for row in csv.DictReader(file)}
    outcomes = collections.Counter(row["outcome"] for row in rows.values())
    assert outcomes["converted"] == 12
    assert sum(outcomes.values()) == 12 + 1 + len(malformed)
    assert f"{sum(outcomes.values())} files found: 12 converted, " in printed
    rejects = (out / "local" / "rejects.jsonl").read_text()
    assert len(rejects.splitlines()) == outcomes["rejected"] > 0
    for path in malformed:
        row = rows[path.name]
        assert row["why"] and row["outcome"] != "converted"
        assert (path.name in rejects) == (row["outcome"] == "rejected")
