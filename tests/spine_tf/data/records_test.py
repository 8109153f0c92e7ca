import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import crops, records, schema, slice_schema
from tests.spine_tf import small_data


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    visits = (2,) * 5 + (3,) + (1,) * 6
    return small_data.make(tmp_path_factory.mktemp("records") / "set", visits, num_folds=3)


@pytest.fixture
def copy(data_dir, tmp_path):
    return shutil.copytree(data_dir, tmp_path / "copy")


def test_spans_are_where_tensorflow_finds_the_records(tmp_path):
    contents = [b"", b"a", b"bc" * 1000, b"last"]
    path = str(tmp_path / "one.tfrecord")
    spans = records.write_shard(path, contents)
    assert [record.numpy() for record in tf.data.TFRecordDataset(path)] == contents
    with open(path, "rb") as file:
        for (offset, length), content in zip(spans, contents, strict=True):
            file.seek(offset)
            assert file.read(length) == content
    assert os.listdir(tmp_path) == ["one.tfrecord"]


def test_a_shard_is_written_whole_or_not_at_all(tmp_path):
    def broken():
        yield b"first"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        records.write_shard(str(tmp_path / "one.tfrecord"), broken())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", [schema.DISC, schema.VERTEBRA_PAIRS])
def test_the_index_reads_the_record_it_describes(data_dir, kind):
    index = records.open_folder(data_dir).index(kind)
    assert len(index) == {schema.DISC: 2 * (12 + 6 + 1), schema.VERTEBRA_PAIRS: 24}[kind]
    for number in range(len(index)):
        example = tf.train.Example.FromString(index.read(number))
        facts = schema.facts(example)
        assert {name: index.rows[number][name] for name in facts} == facts


def test_splits_of_a_protocol_share_no_family_and_miss_no_record(data_dir):
    data = records.open_folder(data_dir)
    assert data.protocols == ["fold0", "fold1", "fold2", "grading", "longitudinal"]
    parts = [data.index(schema.DISC, "grading", name) for name in ("train", "validation", "test")]
    assert (
        sum(map(len, parts))
        == len(data.index(schema.DISC))
        == len(data.index(schema.DISC, "grading"))
    )
    families = [set(part.column("family")) for part in parts]
    assert sum(map(len, families)) == len(set.union(*families)) == 12


def test_what_is_not_there_is_named(data_dir):
    data = records.open_folder(data_dir)
    with pytest.raises(ValueError, match="holds disc, vertebra_pairs, not 'slice' records"):
        data.index("slice")
    slices = dataclasses.replace(data, manifest={**data.manifest, "kinds": {"slice": {}}})
    with pytest.raises(ValueError, match='holds slice, not .disc. records.*"anatomy": "slice"'):
        slices.index(schema.DISC)
    with pytest.raises(ValueError, match="`protocol` must be one of fold0.* got 'fold9'.*--folds"):
        data.index(schema.DISC, "fold9", "test")
    with pytest.raises(ValueError, match="`split` must be one of train, validation, test"):
        data.index(schema.DISC, "grading", "all")


def test_a_folder_that_is_no_data_set(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a data set, it has no manifest.json"):
        records.open_folder(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="is not a data set"):
        records.open_folder(str(tmp_path / "missing"))


@pytest.mark.parametrize("version", [2, None, "1"])
def test_another_schema_version_is_refused(copy, version):
    path = os.path.join(copy, "manifest.json")
    with open(path, encoding="utf-8") as file:
        manifest = json.load(file)
    manifest["schema_version"] = version
    with open(path, "w", encoding="utf-8") as file:
        json.dump(manifest, file)
    with pytest.raises(ValueError, match=r"manifest.json: `schema_version` must be 1, got .*again"):
        records.open_folder(str(copy))


@pytest.mark.parametrize("content", ["{", "[]", "3"])
def test_a_manifest_that_is_none_is_refused(copy, content):
    with open(os.path.join(copy, "manifest.json"), "w", encoding="utf-8") as file:
        file.write(content)
    with pytest.raises(ValueError, match="manifest.json"):
        records.open_folder(str(copy))


def test_a_missing_shard_is_named(copy):
    os.remove(os.path.join(copy, "disc-00001-of-00002.tfrecord"))
    with pytest.raises(ValueError, match="disc-00001-of-00002.tfrecord: must have .* got no file"):
        records.open_folder(str(copy))


def test_a_shard_that_was_cut_short_is_named(copy):
    path = os.path.join(copy, "disc-00000-of-00002.tfrecord")
    size = os.path.getsize(path)
    os.truncate(path, size - 10)
    with pytest.raises(ValueError, match=f"must have {size} bytes, got {size - 10}"):
        records.open_folder(str(copy))


def _index(*rows):
    return records.Index("", schema.DISC, 0.5, rows)


def test_statistics_by_hand():
    one = {"level": "L1-L2", "grades": {"modic": 1}, "slice_mean": [[None] + [0.5] * 14]}
    two = {"level": "L4-L5", "grades": {"modic": 0, "pfirrmann": 3}, "slice_mean": [[0.25] * 15]}
    three = {"level": "L4-L5", "grades": {"modic": 0}, "slice_mean": [[None] * 15]}
    found = records.statistics(_index(one, two, three), {"modic": np.array([2, 1])})
    assert found.class_counts == {"modic": [2, 1]}
    assert found.graded_levels == {"modic": ["L1-L2", "L4-L5"], "pfirrmann": ["L4-L5"]}
    # The first slice is in one scan only; the others are the mean of 0.5 and 0.25.
    assert found.slice_means == [0.25] + [0.375] * 14


def test_statistics_of_a_slice_that_no_scan_has():
    row = {"level": "L1-L2", "grades": {}, "slice_mean": [[None] * 7 + [0.5] + [None] * 7]}
    found = records.statistics(_index(row), {})
    assert found.slice_means == [0.0] * 7 + [0.5] + [0.0] * 7


def test_names():
    assert records.shard_name("disc", 3, 16) == "disc-00003-of-00016.tfrecord"
    assert records.index_name("disc") == "index-disc.jsonl"


def _edit_splits(folder, change):
    path = os.path.join(folder, "splits.json")
    with open(path) as file:
        content = json.load(file)
    change(content["protocols"])
    with open(path, "w") as file:
        json.dump(content, file)
    return records.open_folder(str(folder))


def test_protocols_as_they_are_made_hold(data_dir):
    data = records.open_folder(data_dir)
    for protocol in data.protocols:
        records.check_protocol(data, protocol)
    with pytest.raises(ValueError, match="`protocol` must be one of"):
        records.check_protocol(data, "fold9")


def test_a_family_that_is_in_no_split(copy):
    data = _edit_splits(copy, lambda protocols: [p.pop("f11", None) for p in protocols.values()])
    for protocol in ("grading", "fold1"):
        message = f"splits.json: `{protocol}` must hold every family, got 1 .* such as f11"
        with pytest.raises(ValueError, match=message):
            records.check_protocol(data, protocol)
    records.check_protocol(data, "longitudinal")  # f11 has one visit


def test_a_split_that_there_is_not(copy):
    data = _edit_splits(copy, lambda protocols: protocols["grading"].update(f03="dev"))
    with pytest.raises(ValueError, match="train, validation, test, got 'dev' for family f03"):
        records.check_protocol(data, "grading")


def test_a_subject_with_two_families_in_two_splits(copy):
    path = copy / "index-disc.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    (row,) = (r for r in rows if r["key"] == "s01/0/L4-L5")
    row["family"] = "f02"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def change(protocols):
        protocols["grading"] |= {"f01": "train", "f02": "test"}
        protocols["fold0"] |= {"f01": "train", "f02": "train"}

    data = _edit_splits(copy, change)
    with pytest.raises(
        ValueError, match="every subject in one split, got s01 in train and in test"
    ):
        records.check_protocol(data, "grading")
    records.check_protocol(data, "fold0")


def test_splits_that_are_no_text(copy):
    (copy / "splits.json").write_bytes(b'{"seed": "\xff"}')
    with pytest.raises(ValueError, match="splits.json: is not valid JSON"):
        records.open_folder(str(copy))


def test_a_family_that_stands_in_two_splits_of_one_protocol(copy):
    path = copy / "splits.json"
    path.write_text('{"seed": 0, "protocols": {"grading": {"f01": "train", "f01": "test"}}}')
    with pytest.raises(ValueError, match="splits.json: .* a family in one split, got 'f01' twice"):
        records.open_folder(str(copy))


def test_slice_means_of_plain_images():
    rows = [{"slice_mean": [[0.5], [0.25]]}, {"slice_mean": [[0.75]]}]
    assert records.slice_means(rows) == [0.5]
    assert records.slice_means([]) == [0.0] * 15


def test_cases_are_the_slices_of_a_volume_in_order():
    def row(case, view, position):
        return {"case": case, "view": view, "position": position}

    rows = [
        row("b", "axial", 4),
        row("a", "axial", 1),
        row("b", "axial", 0),
        row("b", "coronal", 2),
    ]
    index = records.Index("folder", schema.SLICE, 1.0, tuple(rows))
    found = records.cases(index)
    assert found == {("a", "axial"): [1], ("b", "axial"): [2, 0], ("b", "coronal"): [3]}


def test_label_names():
    manifest = {"settings": {"labels": {"disc": [201, 202], "vertebra": [1, 2]}}}
    found = records.DataFolder("folder", manifest, {}).label_names
    assert list(found.items()) == [(1, "vertebra"), (201, "disc")]
    assert records.DataFolder("folder", {"settings": {}}, {}).label_names == {}


def test_statistics_of_slices():
    found = records.statistics(_index({"label": "a"}, {"label": "b"}), {"label": [1, 1]})
    assert found.class_counts == {"label": [1, 1]} and found.graded_levels == {}


def test_channels_and_kinds_of_an_index():
    slices = records.Index("folder", schema.SLICE, 1.0, (), slice_schema.SliceKind(3))
    assert slices.num_channels == 3 and _index().num_channels == 1
    assert _index().known_crop_kind is crops.DISC
    images = records.Index("folder", schema.IMAGE_PAIRS, 0.5, (), crops.image_kind(64, 96))
    assert images.known_crop_kind == crops.image_kind(64, 96)
    with pytest.raises(ValueError, match="`kind` must be one of crops, got 'slice'"):
        _ = slices.known_crop_kind
