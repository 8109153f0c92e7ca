import collections
import dataclasses
import hashlib
import json
import os
import stat
import types

import numpy as np
import pytest
import tensorflow as tf

from data_prep import dataset_lib, rejection, settings
from spine_tf.data import records, schema, splits
from tests.data_prep import scans

KINDS = (schema.DISC, schema.VERTEBRA_PAIRS)


def _convert(folder, requests=None, chosen=scans.SETTINGS, **options):
    requests = scans.make_requests(folder.parent / "log") if requests is None else requests
    options = {"source": "test", "not_needed": {"axial series": 2}} | options
    return dataset_lib.convert(requests, scans.load, chosen, str(folder), **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder and report of a data set of seven scans."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    return folder, _convert(folder)


def _files(folder):
    """Path -> SHA-256 of all that is the same whoever makes it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "conversion.log"  # order of the work
    }


def _parsed(folder, kind):
    index = records.open_folder(str(folder)).index(kind)
    return index, [schema.parse(kind, index.read(i), 0.5) for i in range(len(index))]


def test_the_folder(whole):
    folder, report = whole
    shards = [f"{kind}-0000{i}-of-00002.tfrecord" for kind in KINDS for i in (0, 1)]
    names = {"index-disc.jsonl", "index-vertebra_pairs.jsonl", "splits.json", "manifest.json"}
    assert set(os.listdir(folder)) == {*shards, *names, "qc", "local"}
    keys = [request.scan_key for request in scans.make_requests("")]
    pictures = {f"{key}{ending}" for key in keys for ending in (".png", "-outlines.png")}
    assert set(os.listdir(folder / "qc")) == {"index.html", *pictures}
    assert report.exit_status == 0 and report.num_scans == 7
    # Discs: two per scan. Bodies: three levels of four subjects.
    assert report.num_records == {"disc": 14, "vertebra_pairs": 12}
    assert str(report).splitlines() == [
        f"{folder}: 7 scans; records by kind: 14 disc, 12 vertebra_pairs.",
        "not needed: 2 axial series",
        f"Look at {folder / 'qc' / 'index.html'} before training.",
    ]


def test_the_manifest(whole):
    folder, _ = whole
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["schema_version"] == schema.SCHEMA_VERSION
    assert manifest["counts"] == {"scans": 7, "subjects": 4, "families": 4}
    disc, bodies = (manifest["kinds"][kind] for kind in ("disc", "vertebra_pairs"))
    assert disc["level_counts"] == {"L3-L4": 7, "L4-L5": 7}
    assert bodies["level_counts"] == {"L3": 4, "L4": 4, "L5": 4}
    # Subject a comes three times, b twice, c and d once; three bodies each.
    assert bodies["num_visits"] == {"3": 3, "2": 3, "1": 6}
    # Four first visits are grade 1, two second ones 2, one third 3.
    assert disc["class_counts"] == {"pfirrmann": {"1": 4, "2": 2, "3": 1, "4": 0, "5": 0}}
    assert len(disc["slice_means"]) == 15 and 0.2 < disc["slice_means"][7] < 0.9
    for kind in (disc, bodies):
        assert sum(file["num_records"] for file in kind["files"]) == kind["num_records"]
        for file in kind["files"]:
            content = (folder / file["name"]).read_bytes()
            assert file["sha256"] == hashlib.sha256(content).hexdigest()
            assert file["size"] == len(content)
    assert "num_processes" not in manifest["settings"]


def test_the_index_says_what_the_records_say(whole):
    for kind in KINDS:
        index, parsed = _parsed(whole[0], kind)
        keys = index.column("key")
        assert len(set(keys)) == len(keys)
        for row, record in zip(index.rows, parsed, strict=True):
            for name in ("key", "subject", "family", "level", "kind"):
                assert record[name].numpy().decode() == row[name]
            np.testing.assert_array_equal(np.ravel(record["visit"]), row["visit"])
            np.testing.assert_allclose(np.ravel(record["median"]), row["median"], atol=1e-4)
            shard = dataset_lib.shard_of(row["key"], 2)
            assert row["file"] == records.shard_name(kind, shard, 2)


def test_grades_reach_their_disc_only(whole):
    index, _ = _parsed(whole[0], schema.DISC)
    grades = {(row["subject"], *row["visit"], row["level"]): row["grades"] for row in index.rows}
    assert grades["a", 2, "L4-L5"] == {"pfirrmann": 3}
    assert grades["a", 2, "L3-L4"] == {}


def test_visits_are_merged_in_time_order(whole):
    index, parsed = _parsed(whole[0], schema.VERTEBRA_PAIRS)
    number = index.column("key").index("a/L4")
    record = parsed[number]
    assert record["visit"].numpy().tolist() == [0, 1, 2]
    assert record["days"].numpy().tolist() == [0, 1000, 2000]
    assert [scan.decode() for scan in record["scan"].numpy()] == ["a-0", "a-1", "a-2"]
    assert record["image"].shape == (3, 15, 160, 160)
    # Each visit is another scan, and the same visit of subject b is the same scan.
    other = parsed[index.column("key").index("b/L4")]["image"]
    assert not np.array_equal(record["image"][0], record["image"][1])
    np.testing.assert_array_equal(record["image"][:2], other)


def test_splits_are_those_of_the_families(whole):
    written = json.loads((whole[0] / "splits.json").read_text())
    families = [splits.Family(f"family-{s}", n) for s, n in zip("abcd", (3, 2, 1, 1), strict=True)]
    assert written == splits.make_splits(families, seed=0)


def test_further_protocols(tmp_path):
    requests = [scans.make_request(tmp_path / "log", s) for s in "ab"]
    mine = {"family-b": "test"}  # a protocol may leave families out
    grading = {"family-a": "test", "family-b": "train"}  # in place of the one that is made
    _convert(tmp_path / "data", requests, protocols={"mine": mine, "grading": grading})
    folder = records.open_folder(str(tmp_path / "data"))
    assert folder.protocols == ["grading", "longitudinal", "mine"]
    assert set(folder.index(schema.DISC, "mine", "test").column("subject")) == {"b"}
    assert not folder.index(schema.DISC, "mine", "train").rows
    assert folder.families("grading") == grading


@pytest.mark.parametrize(
    "protocols, message",
    [
        ({"mine": {"nobody": "test"}}, "hold families of the scans .* got 'nobody' in 'mine'"),
        ({"mine": {"family-a": "dev"}}, "splits .train, validation, test., got 'dev' in 'mine'"),
    ],
)
def test_wrong_protocols(tmp_path, protocols, message):
    request = scans.make_request(tmp_path / "log", "a")
    with pytest.raises(ValueError, match=message):
        _convert(tmp_path / "data", [request], protocols=protocols)
    assert not (tmp_path / "data" / "splits.json").exists()


def test_pictures(whole):
    picture = tf.io.decode_png((whole[0] / "qc" / "a-0.png").read_bytes())
    # Three bodies of 160 columns and a gap of 2; 160 rows of bodies and 96 of discs, each with two
    # of gap and below 14 of names.
    assert picture.shape == (160 + 96 + 2 * (2 + 14), 3 * 162, 1)
    assert len(np.unique(picture)) > 50


def test_a_whole_data_set_is_not_overwritten(whole):
    before = _files(whole[0])
    with pytest.raises(ValueError, match="holds a whole data set. Choose another folder"):
        _convert(whole[0])
    assert _files(whole[0]) == before


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(whole, tmp_path):
    chosen = settings.Settings(crop_scale=0.5, num_shards=2, num_processes=2)
    _convert(tmp_path / "data", chosen=chosen)
    assert _files(tmp_path / "data") == _files(whole[0])
    assert len(scans.loaded(tmp_path / "log")) == 7


def test_a_stopped_run_keeps_what_is_whole(whole, tmp_path):
    folder, log = tmp_path / "data", tmp_path / "log"
    requests = scans.make_requests(log)
    stopped = [*requests[:4], scans.make_request(log, "c", problem="interrupted"), *requests[5:]]
    with pytest.raises(BaseException):  # noqa: B017 - Beam may wrap what a worker raises
        _convert(folder, stopped)
    assert not (folder / "manifest.json").exists()
    kept = {path.stem for path in (folder / "parts").glob("*.json")}
    assert kept < {request.scan_key for request in requests}
    log.unlink()
    _convert(folder, requests[::-1])  # the order of the scans does not matter
    assert scans.loaded(log) == sorted({r.scan_key for r in requests} - kept)
    assert _files(folder) == _files(whole[0])


def test_only_missing_parts_are_made_again(whole, tmp_path, monkeypatch):
    folder, log = tmp_path / "data", tmp_path / "log"
    requests = scans.make_requests(log)
    with monkeypatch.context() as patch:  # stop after the last scan, before the manifest
        patch.setattr(dataset_lib, "_write_manifest", _stop)
        with pytest.raises(KeyboardInterrupt):
            _convert(folder, requests)
    assert len(scans.loaded(log)) == 7
    (folder / "parts" / "a-1.json").unlink()
    _convert(folder, requests)
    assert collections.Counter(scans.loaded(log))["a-1"] == 2
    assert len(scans.loaded(log)) == 8
    assert _files(folder) == _files(whole[0])


def test_a_run_that_was_killed_while_it_tidied_up_is_finished(tmp_path, monkeypatch):
    folder, log = tmp_path / "data", tmp_path / "log"
    requests = [scans.make_request(log, "a"), scans.make_request(log, "b", problem="rejected")]
    with monkeypatch.context() as patch:
        patch.setattr(dataset_lib, "shutil", types.SimpleNamespace(rmtree=_stop))
        with pytest.raises(KeyboardInterrupt):
            _convert(folder, requests)
    (folder / "manifest.json.tmp-1").write_text("half")
    assert (folder / "parts").exists()
    with pytest.raises(ValueError, match="holds a whole data set"):
        _convert(folder, requests, dataclasses.replace(scans.SETTINGS, num_shards=3))
    before = _files(folder / "local"), scans.loaded(log)
    report = _convert(folder, requests)
    assert (report.num_scans, report.exit_status) == (1, 3)
    assert report.num_records == {"disc": 2, "vertebra_pairs": 3}
    assert (_files(folder / "local"), scans.loaded(log)) == before
    assert set(os.listdir(folder)) >= {"manifest.json", "splits.json"}
    assert not {"parts", "manifest.json.tmp-1"} & set(os.listdir(folder))


def test_the_log_tells_what_was_kept(tmp_path, monkeypatch):
    folder, log = tmp_path / "data", tmp_path / "log"
    requests = [scans.make_request(log, "a"), scans.make_request(log, "b")]
    with monkeypatch.context() as patch:
        patch.setattr(dataset_lib, "_write_manifest", _stop)
        with pytest.raises(KeyboardInterrupt):
            _convert(folder, requests)
    (folder / "parts" / "b-0.json").unlink()
    _convert(folder, requests)
    lines = collections.Counter((folder / "local" / "conversion.log").read_text().splitlines())
    assert lines == {
        **{"a-0 begun": 1, "a-0 converted": 1, "a-0 kept": 1},
        **{"b-0 begun": 2, "b-0 converted": 2},
    }


def test_parts_of_other_input_and_rejections_are_made_again(tmp_path, monkeypatch):
    folder, log = tmp_path / "data", tmp_path / "log"
    requests = scans.make_requests(log)
    mended = requests[0]
    broken = dataclasses.replace(
        mended, payload=scans.make_request(log, "a", problem="rejected").payload
    )
    with monkeypatch.context() as patch:
        patch.setattr(dataset_lib, "_write_manifest", _stop)
        with pytest.raises(KeyboardInterrupt):
            _convert(folder, [broken, *requests[1:]])
    regraded = dataclasses.replace(requests[1], gradings={"L4-L5": {"pfirrmann": 5}})
    report = _convert(folder, [mended, regraded, *requests[2:]])
    assert not report.rejections
    again = collections.Counter(scans.loaded(log))
    assert again[regraded.scan_key] == 2 and again[requests[2].scan_key] == 1
    rows = records.open_folder(str(folder)).index("disc").rows
    (row,) = (r for r in rows if r["scan"] == [regraded.scan_key] and r["level"] == "L4-L5")
    assert row["grades"] == {"pfirrmann": 5}


def _stop(*unused):
    raise KeyboardInterrupt


def test_what_cannot_be_used_is_rejected_and_the_rest_converted(tmp_path, capsys):
    log, folder = tmp_path / "log", tmp_path / "data"
    before = rejection.Rejection("study", "1.2.9", "no sagittal T2 series")
    lonely = {"log": str(log), "names": ("L4",), "seed": 0, "problem": ""}
    requests = [
        scans.make_request(log, "a"),
        scans.make_request(log, "b", problem="rejected"),
        scans.make_request(log, "c", payload=lonely),
        scans.make_request(log, "d", gradings={"L4-L5": {"pfirrmann": 9}}),
    ]
    report = _convert(folder, requests, rejections=[before])
    assert report.exit_status == 3 and report.num_scans == 1
    lines = [json.loads(line) for line in (folder / "local" / "rejects.jsonl").open()]
    assert [(line["path"], line["uid"]) for line in lines] == [
        ("study", "1.2.9"),
        ("a/file.dcm", "1.2.3"),
        ("c/0", "1.2.0"),
        ("d/0", "1.2.0"),
    ]
    assert lines[1]["reason"] == "it is broken"
    assert "must hold two neighbours between T12 and S1" in lines[2]["reason"]
    assert "`pfirrmann` must be one of [1, 2, 3, 4, 5]" in lines[3]["reason"]
    assert str(report).count("rejected: ") == 4 and "c/0 (1.2.0)" in str(report)
    mode = os.stat(folder / "local" / "rejects.jsonl").st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE(os.stat(folder / "local").st_mode) == 0o700
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["counts"] == {"scans": 1, "subjects": 1, "families": 1}
    assert len(records.open_folder(str(folder)).index(schema.DISC)) == 2


def test_pictures_can_be_traced_at_home(whole):
    path = whole[0] / "local" / "scans.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    header, *rows = path.read_text().splitlines()
    assert header == "scan,uid,path"
    pictures = {path.stem.removesuffix("-outlines") for path in (whole[0] / "qc").glob("*.png")}
    assert {row.split(",")[0] for row in rows} == pictures


def test_pairs_of_discs_on_request(whole, tmp_path):
    folder = tmp_path / "data"
    chosen = dataclasses.replace(scans.SETTINGS, disc_pairs=True)
    report = _convert(folder, chosen=chosen)
    # Two discs of four subjects, beside what is written without the request.
    assert report.num_records == {"disc": 14, "disc_pairs": 8, "vertebra_pairs": 12}
    mine, theirs = _files(folder), _files(whole[0])
    assert all(mine[name] == theirs[name] for name in theirs if name != "manifest.json")
    assert len(set(mine) - set(theirs)) == 3  # two shards and an index
    data = records.open_folder(str(folder))
    assert data.manifest["kinds"]["disc_pairs"]["num_visits"] == {"3": 2, "2": 2, "1": 4}
    index, parsed = _parsed(folder, schema.DISC_PAIRS)
    number = index.column("key").index("a/L4-L5")
    assert parsed[number]["image"].shape == (3, 15, 96, 160)
    assert parsed[number]["days"].numpy().tolist() == [0, 1000, 2000]
    discs, crops_of_discs = _parsed(folder, schema.DISC)
    for visit in range(3):
        single = crops_of_discs[discs.column("key").index(f"a/{visit}/L4-L5")]["image"]
        np.testing.assert_array_equal(parsed[number]["image"][visit], single)
    assert index.rows[number]["grades"] == {}
    # Subjects with follow-ups are too few to hold any out, so the protocol is empty.
    assert not data.index(schema.DISC_PAIRS, "longitudinal").rows
    with pytest.raises(ValueError, match="holds disc, vertebra_pairs, not 'disc_pairs' records"):
        records.open_folder(str(whole[0])).index(schema.DISC_PAIRS)


def test_asking_for_pairs_of_discs_makes_unfinished_parts_again(tmp_path, monkeypatch):
    folder, log = tmp_path / "data", tmp_path / "log"
    requests = [scans.make_request(log, "a")]
    with monkeypatch.context() as patch:
        patch.setattr(dataset_lib, "_write_manifest", _stop)
        with pytest.raises(KeyboardInterrupt):
            _convert(folder, requests)
    report = _convert(folder, requests, dataclasses.replace(scans.SETTINGS, disc_pairs=True))
    assert report.num_records == {"disc": 2, "disc_pairs": 2, "vertebra_pairs": 3}
    assert scans.loaded(log) == ["a-0", "a-0"]


def test_header_facts_reach_every_record(tmp_path):
    folder, log = tmp_path / "data", tmp_path / "log"
    requests = [
        scans.make_request(log, "a", visit, header_facts={"sex": 1, "age": 3 + visit, "weight": -1})
        for visit in range(2)
    ]
    _convert(folder, requests, dataclasses.replace(scans.SETTINGS, disc_pairs=True))
    for kind in (schema.VERTEBRA_PAIRS, schema.DISC_PAIRS):
        index, parsed = _parsed(folder, kind)
        for row, record in zip(index.rows, parsed, strict=True):
            assert row["header_facts"] == {"sex": [1, 1], "age": [3, 4]}
            assert record["header/age"].numpy().tolist() == [3, 4]
            assert record["header/weight"].numpy().tolist() == [-1, -1]
    rows = records.open_folder(str(folder)).index(schema.DISC).rows
    assert {(*row["visit"], *row["header_facts"]["age"]) for row in rows} == {(0, 3), (1, 4)}


def test_a_dry_run_says_what_there_would_be_and_writes_nothing(tmp_path):
    requests = scans.make_requests("")
    chosen = dataclasses.replace(scans.SETTINGS, dry_run=True)
    report = _convert(tmp_path / "data", requests, chosen)
    assert str(report).splitlines() == [
        f"{tmp_path / 'data'} would hold 7 scans of 4 subjects in 4 families, as far as headers"
        " tell. Nothing was written.",
        *(line for line in report.planned if line.startswith("protocol ")),
        "not needed: 2 axial series",
    ]
    assert len(report.planned) > 1 and report.exit_status == 0
    with pytest.raises(ValueError, match="no scan to convert"):
        _convert(tmp_path / "data", [], chosen)
    assert not os.listdir(tmp_path)


def test_nothing_to_convert(tmp_path):
    rejected = [rejection.Rejection("study", "", "it is empty")]
    with pytest.raises(ValueError, match="no scan to convert.\nrejected: study: it is empty"):
        _convert(tmp_path / "data", [], rejections=rejected)
    assert (tmp_path / "data" / "local" / "rejects.jsonl").read_text().count("\n") == 1


def test_nothing_that_could_be_converted(tmp_path):
    request = scans.make_request(tmp_path / "log", "a", problem="rejected")
    with pytest.raises(ValueError, match="no scan could be converted.\nrejected: a/file.dcm"):
        _convert(tmp_path / "data", [request])
    assert (tmp_path / "data" / "local" / "rejects.jsonl").read_text().count("\n") == 1
    assert not (tmp_path / "data" / "manifest.json").exists()


def test_shards_follow_from_the_key_alone():
    # SHA-256 of "a" begins ca978112ca1bbdca: 0xca978112ca1bbdca modulo 8 is 0xa mod 8 = 2.
    assert dataset_lib.shard_of("a", 8) == 2
    counts = collections.Counter(dataset_lib.shard_of(f"s{i}/L4", 4) for i in range(400))
    assert set(counts) == {0, 1, 2, 3} and max(counts.values()) < 130
