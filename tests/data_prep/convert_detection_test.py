"""Tests of the convert-detection command."""

import pytest

from data_prep import convert_detection, dataset_lib, deidentify
from spine_tf import cli
from tests.data_prep import spider_samples


@pytest.mark.parametrize("phantoms", [0, 3])
def test_the_key_is_told_of_persons_only(tmp_path, monkeypatch, phantoms):
    spider_samples.write_folder(tmp_path / "spider", ["1_t2", "2_t2", "3_t2"])
    source = f"--phantoms={phantoms}" if phantoms else f"--spider_dir={tmp_path / 'spider'}"
    given = {}

    def convert(*_, **options):
        given.update(options)
        return dataset_lib.Report("out", 3, {}, (), {})

    monkeypatch.setattr(dataset_lib, "convert", convert)
    arguments = (source, f"--output_dir={tmp_path / 'out'}")
    status = cli.call(convert_detection.define_flags, convert_detection.main, arguments)
    assert status == cli.EXIT_DONE
    key = deidentify.load_or_make_key(str(tmp_path / "out.key"))
    assert given["key"] == (None if phantoms else key)
