"""Tests of export.record_reader."""

import pytest

from export import record_reader
from spine_tf.data import records

CONTENTS = [b"first", b"", b"third" * 1000]


@pytest.fixture
def places(tmp_path):
    """Three records that TensorFlow wrote."""
    spans = records.write_shard(str(tmp_path / "shard"), CONTENTS)
    return [record_reader.Place("shard", *span) for span in spans]


def test_records_are_read_in_any_order(places, tmp_path):
    assert record_reader.read(str(tmp_path), places) == CONTENTS
    assert record_reader.read(str(tmp_path), places[::-2]) == CONTENTS[::-2]
    assert str(places[1]) == "shard at byte 21"  # 12 + 5 + 4


@pytest.mark.parametrize("at", ["content", "checksum", "end"])
def test_a_damaged_record_is_none_and_the_others_are_there(places, tmp_path, at):
    whole = bytearray((tmp_path / "shard").read_bytes())
    last = places[2]
    if at == "end":
        del whole[-10:]
    else:
        whole[last.offset + (7 if at == "content" else last.length)] ^= 1
    (tmp_path / "shard").write_bytes(whole)
    assert record_reader.read(str(tmp_path), places) == [*CONTENTS[:2], None]
