"""Tests of the hashes of a data set."""

import dataclasses
import hashlib
import json
import pathlib

import pytest

from spine_tf.data import dataset_hash, records, schema
from tests.spine_tf import small_data


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return small_data.make(tmp_path_factory.mktemp("hashes") / "set", (2, 1, 1, 1), num_folds=0)


def test_the_content_hash_is_of_all_but_the_versions(data_dir):
    data = records.open_folder(data_dir)
    found = dataset_hash.content(data)

    def hashed(**changes):
        return dataset_hash.content(
            dataclasses.replace(data, manifest={**data.manifest, **changes})
        )

    assert len(found) == 64 and hashed(versions={"python": "9.9"}) == found
    assert hashed(splits_sha256="0" * 64) != found
    kinds = json.loads(json.dumps(data.manifest["kinds"]))
    kinds[schema.DISC]["files"][0]["sha256"] = "0" * 64
    assert hashed(kinds=kinds) != found


def test_the_manifest_hash_is_of_the_file(data_dir):
    content = pathlib.Path(data_dir, "manifest.json").read_bytes()
    assert dataset_hash.manifest(str(data_dir)) == hashlib.sha256(content).hexdigest()
