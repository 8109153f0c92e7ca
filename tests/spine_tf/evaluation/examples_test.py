import dataclasses

import numpy as np

from spine_tf.evaluation import examples
from tests.spine_tf import tiny_runs
from tests.spine_tf.evaluation import oracles


def _fold(monkeypatch, data_dir, name="jigsaw"):
    return oracles.fold_of(monkeypatch, data_dir, tiny_runs.make_task(name), None)


def _all(one, batch_size):
    items, found = examples.all_items(one), {}
    for positions, batch in examples.batches(one, items, batch_size):
        labels = batch.labels["order"].numpy()
        tiles = batch.inputs["tiles"].numpy()
        assert len(tiles) == batch_size
        for number, position in enumerate(positions):
            found[tuple(items[position])] = (int(labels[number]), tiles[number])
    return found


def test_every_item_comes_once_and_its_draws_are_its_own(monkeypatch, data_dir):
    one = _fold(monkeypatch, data_dir)
    found, other = _all(one, 7), _all(one, 16)
    assert set(found) == set(other) == {(number, 0) for number in range(len(one.test))}
    for item, (label, tiles) in found.items():
        assert label == other[item][0]
        np.testing.assert_array_equal(tiles, other[item][1])
    assert len({label for label, _ in found.values()}) > 3


def test_a_record_is_drawn_alike_in_another_index(monkeypatch, data_dir):
    one = _fold(monkeypatch, data_dir)
    last = dataclasses.replace(one.test, rows=one.test.rows[-1:])
    (alone,) = _all(dataclasses.replace(one, test=last), 1).values()
    among = _all(one, 8)[(len(one.test) - 1, 0)]
    assert alone[0] == among[0]
    np.testing.assert_array_equal(alone[1], among[1])
