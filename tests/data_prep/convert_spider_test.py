"""Tests of the convert-spider command."""

import json

from data_prep import convert_spider, deidentify
from spine_tf import cli
from tests.data_prep import spider_samples


def test_tiny_folder_is_converted(tmp_path, capsys):
    spider_samples.write_folder(tmp_path / "spider", ["1_t2", "2_t2", "3_t2", "3_t1"])
    out = tmp_path / "out"
    arguments = (
        f"--input_dir={tmp_path / 'spider'}",
        f"--output_dir={out}",
        "--crop_scale=0.5",
        "--num_shards=1",
        "--folds=3",
    )
    assert cli.call(convert_spider.define_flags, convert_spider.main, arguments) == cli.EXIT_DONE
    printed = capsys.readouterr().out
    assert "T1 series" in printed and "Look at" in printed
    assert printed.endswith(
        f"Keep {out}.key, and do not share it: it is the key of the pseudonyms.\n"
    )
    manifest = json.loads((out / "manifest.json").read_text())
    key = deidentify.load_or_make_key(str(tmp_path / "out.key"))
    assert manifest["counts"]["scans"] == 3 and manifest["key_id"] == deidentify.key_id(key)
    # L3-L4, L4-L5 and, from its own mask, L5-S1.
    assert manifest["kinds"]["disc"]["num_records"] == 9
    assert manifest["kinds"]["disc"]["class_counts"]["pfirrmann"] == {
        "1": 0,
        "2": 3,
        "3": 3,
        "4": 3,
        "5": 0,
    }


def test_folder_of_another_layout_is_1(tmp_path, capsys):
    arguments = (f"--input_dir={tmp_path}", f"--output_dir={tmp_path / 'out'}")
    assert cli.call(convert_spider.define_flags, convert_spider.main, arguments) == cli.EXIT_FAILED
    assert "must be a SPIDER folder" in capsys.readouterr().err
