"""One kind of record when all its shards are written: its index, and its part of the manifest."""

import collections
import concurrent.futures
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from data_prep import beam_runner
from spine_tf import files, gradings
from spine_tf.data import records, schema, slice_schema


def lines_name(kind: str, shard: int) -> str:
    """Returns the file name of the lines of the index of one shard, until they are joined."""
    return f"{kind}-{shard:05d}.jsonl"


def finish_kind(output_dir: str, parts_dir: str, kind: str, num_shards: int) -> dict:
    """Joins the index of one kind, writes shards that got no record, and describes them all.

    Args:
        output_dir: Folder of the data set.
        parts_dir: Where the lines of the shards' indices are.
        kind: Kind of record.
        num_shards: TFRecord files of this kind.

    Returns:
        What the manifest says of the kind: files with their size and SHA-256, and counts.
    """
    shards: list[dict[str, Any]] = []
    rows: list[str] = []
    for shard in range(num_shards):
        name = records.shard_name(kind, shard, num_shards)
        path = os.path.join(output_dir, name)
        lines = os.path.join(parts_dir, lines_name(kind, shard))
        found = []
        if os.path.exists(lines):
            with open(lines, encoding="utf-8") as file:
                found = file.readlines()
        else:
            records.write_shard(path, [])
        shards.append({"name": name, "num_records": len(found), "size": os.path.getsize(path)})
        rows += found
    # A digest frees Python.
    with concurrent.futures.ThreadPoolExecutor(beam_runner.num_cores()) as pool:
        paths = (os.path.join(output_dir, shard["name"]) for shard in shards)
        for shard, digest in zip(shards, pool.map(files.sha256, paths), strict=True):
            shard["sha256"] = digest
    with files.atomic_write(os.path.join(output_dir, records.index_name(kind))) as file:
        file.writelines(rows)
    described = slice_schema.summary if kind == schema.SLICE else summary
    return {"files": shards, "num_records": len(rows)} | described([json.loads(r) for r in rows])


def summary(rows: Sequence[Mapping]) -> dict:
    """Returns counts of levels, visits and grades of the rows of an index, and slice means."""
    class_counts = collections.defaultdict(collections.Counter)
    for row in rows:
        for name, grade in row["grades"].items():
            class_counts[name][grade] += 1
    return {
        "level_counts": dict(collections.Counter(row["level"] for row in rows)),
        "num_visits": dict(collections.Counter(str(len(row["visit"])) for row in rows)),
        "class_counts": {
            name: {str(grade): counts[grade] for grade in gradings.GRADINGS[name].grades}
            for name, counts in class_counts.items()
        },
        "slice_means": records.slice_means(rows),
    }
