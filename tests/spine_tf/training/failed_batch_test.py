import json

import pytest

from spine_tf.training import failed_batch


def _stop(folder, keys, **more):
    losses = {"loss": float("nan"), "pairs": 0.5}
    failed_batch.stop(losses, str(folder), split="train", epoch=1, step=6, records=keys, **more)


def test_every_record_is_written_and_four_are_shown(tmp_path):
    with pytest.raises(
        ValueError, match="at epoch 2, step 7, with the records a, b, c, d and more"
    ):
        _stop(tmp_path, list("abcde"))
    found = json.loads((tmp_path / failed_batch.NAME).read_text())
    assert found == {"split": "train", "epoch": 1, "step": 6, "records": list("abcde")}


def test_only_the_chief_writes(tmp_path):
    with pytest.raises(ValueError, match="with the records a, b "):
        _stop(tmp_path, ["a", "b"], is_chief=False)
    assert list(tmp_path.iterdir()) == []
