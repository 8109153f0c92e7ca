import os
import sys

import pydicom
import pytest

from benchmarks import contender, conversion_runs
from data_prep import convert_dicom_lib, dicom


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    work = conversion_runs.Work(str(folder), 2, (64,), 0.5)
    conversion_runs.make_archive(work)
    return work


@pytest.mark.slow
def test_the_archive_holds_compressed_studies_and_is_kept(work):
    paths = [path for path in dicom.list_files(work.archive_dir) if path.endswith(".dcm")]
    syntaxes = {pydicom.dcmread(path).file_meta.TransferSyntaxUID for path in paths}
    assert syntaxes == {pydicom.uid.JPEG2000Lossless}
    before = os.stat(paths[0]).st_mtime_ns
    conversion_runs.make_archive(work)
    assert os.stat(paths[0]).st_mtime_ns == before


@pytest.mark.slow
def test_a_tree_has_further_files_of_the_same_studies(work):
    num_files = len(dicom.list_files(work.archive_dir)) + 40
    tree_dir = conversion_runs.make_tree(work, num_files)
    assert len(dicom.list_files(tree_dir)) == num_files
    plans = [
        convert_dicom_lib.plan(convert_dicom_lib.Inputs(folder), b"k" * 32)
        for folder in (work.archive_dir, tree_dir)
    ]
    assert len(plans[0].requests) == len(plans[1].requests) and not plans[1].rejections


@pytest.mark.slow
def test_the_plain_loop_has_its_stages(work):
    plan = convert_dicom_lib.plan(convert_dicom_lib.Inputs(work.archive_dir), b"k" * 32)
    assert 2 <= len(plan.requests) <= 3 and not plan.rejections
    found = conversion_runs.plain_loop(plan.requests, 0.5)
    assert sorted(found) == ["crops", "decode"] and min(min(time) for time in found.values()) > 0


def test_the_result_relates_what_was_measured(tmp_path):
    work = conversion_runs.Work(str(tmp_path), 2, (64,), 0.5)
    os.makedirs(work.archive_dir)
    run, time = conversion_runs.Run, contender.Time
    found = conversion_runs._result(
        work,
        [1, 2],
        1.0,
        {
            "decode": [time(1.0, 0.5), time(2.0, 0.5)],
            "crops": [time(3.0, 1.5), time(2.0, 1.5)],
        },
        {
            "1 processes": [run(6.0, 3.0, 500, 40), run(8.0, 5.0, 600, 40)],
            "2 processes": [run(4.0, 7.0, 700)] * 2,
        },
    )
    assert found["one_process_over_bare"]["median"] == 1.75  # of 6 / 4 and 8 / 4
    assert found["one_process_over_bare_processor"]["median"] == 2.0  # of 3 / 2 and 5 / 2
    assert found["one_process_over_two"]["median"] == 1.75
    assert found["peak_mib"] == {"1 processes": 600, "2 processes": 700}
    assert found["bytes_per_study"]["data set"] == 20


def test_the_memory_of_a_command_is_its_own():
    run = conversion_runs._run([sys.executable, "-c", "x = b'a' * 2**27"])
    assert 128 < run.peak_mib < 200 and run.seconds > 0
