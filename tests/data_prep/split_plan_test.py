import dataclasses

from data_prep import dataset_lib, split_plan
from spine_tf.data import records, schema
from tests.data_prep import scans


def test_parts_are_cut_from_the_subjects_that_are_left(tmp_path):
    log, folder = tmp_path / "log", tmp_path / "data"
    chosen = dataclasses.replace(
        scans.SETTINGS, folds=2, train_percents=(50,), train_subjects=(2, 4)
    )
    names = [f"s{number:02}" for number in range(16)]
    made = split_plan.plan([scans.make_request(log, name) for name in names], chosen, {})
    planned = made["protocols"]
    trained = [key for key, split in planned["fold0"].items() if split == "train"]
    first = [key for key, split in planned["fold0_subjects2"].items() if split == "train"]
    assert len(trained) == 6 and len(first) == 2
    # The part of two is lost, and so is another: three of six are left.
    others = sorted(set(trained) - set(first))
    broken = {*first, others[0]}
    requests = [
        scans.make_request(log, name, problem="rejected" if f"family-{name}" in broken else "")
        for name in names
    ]
    report = dataset_lib.convert(requests, scans.load, chosen, str(folder), source="test")
    assert report.exit_status == 3
    data = records.open_folder(str(folder))
    for protocol, count in (("fold0", 3), ("fold0_percent50", 2), ("fold0_subjects2", 2)):
        assert len(data.index(schema.DISC, protocol, "train")) == 2 * count  # discs of a scan
    assert set(data.index(schema.DISC, "fold0_subjects2", "train").column("family")) <= set(
        others[1:]
    )
    for split in ("validation", "test"):  # no family moves to another split
        expected = {key for key, found in planned["fold0"].items() if found == split}
        found = data.families("fold0_subjects2")
        assert {key for key, name in found.items() if name == split} == expected
    assert "fold0_subjects4" not in data.protocols
    told = str(report).splitlines()
    assert "protocol fold0, families left: 3 of 6 train, 2 of 2 validation, 8 of 8 test" in told
    assert "protocol fold0_subjects4 is left out: too few of its training subjects are left" in told
    assert not any("fold0_subjects2" in line for line in told)
