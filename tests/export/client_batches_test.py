import numpy as np
import pytest

from export import client_batches


def test_batches_by_hand():
    # 4096 bytes of overhead leave 10,000: items of 3000 + 64 fit three times.
    found = client_batches.split([3000] * 7, 14_096, 32)
    assert found == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert client_batches.split([3000] * 3, 14_096, 2) == [slice(0, 2), slice(2, 3)]
    assert client_batches.split([9000, 100, 9000], 14_096, 32) == [slice(0, 2), slice(2, 3)]
    assert client_batches.split([], 14_096, 32) == [slice(0, 0)]


def test_an_item_above_the_limit_is_refused():
    with pytest.raises(ValueError, match="`max_message_mb` must be at least 0.02 for item 1"):
        client_batches.split([10, 12_000], 14_096, 32)


def test_parts_are_joined_in_order():
    parts = [{"a": np.array([1, 2])}, {"a": np.array([3])}]
    assert client_batches.join(parts)["a"].tolist() == [1, 2, 3]
