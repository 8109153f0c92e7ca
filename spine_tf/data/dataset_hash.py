"""Which data set it is: hashes of its manifest, which covers every shard's own hash."""

import hashlib
import json
import os

from spine_tf import files
from spine_tf.data import records


def content(folder: records.DataFolder) -> str:
    """Returns the SHA-256 of what the manifest says but for the versions that converted.

    Data sets of one such hash hold the same records, splits and settings.
    """
    told = {name: value for name, value in folder.manifest.items() if name != "versions"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def manifest(path: str) -> str:
    """Returns the SHA-256 of the manifest.json of the data set in folder `path`."""
    return files.sha256(os.path.join(path, records.MANIFEST))
