"""Splitting a request so that each message stays below a limit, and joining the answers."""

from collections.abc import Sequence

import numpy as np

_OVERHEAD_BYTES = 4096  # of a message besides its items
_ITEM_BYTES = 64  # of an item besides its content


def split(sizes: Sequence[int], most_bytes: int, most_items: int) -> list[slice]:
    """Returns slices of neighbouring items, each as large as the limits allow.

    Args:
        sizes: Bytes of every item.
        most_bytes: Limit of a message.
        most_items: Limit of a batch.

    Raises:
        ValueError: If one item is larger than a message.
    """
    room = most_bytes - _OVERHEAD_BYTES
    found, start, used = [], 0, 0
    for number, size in enumerate(sizes):
        size += _ITEM_BYTES
        if size > room:
            raise ValueError(
                f"`max_message_mb` must be at least {(size + _OVERHEAD_BYTES) / 2**20:.2f} for"
                f" item {number}, got {most_bytes / 2**20:g}. Raise it here and at the server."
            )
        if number > start and (used + size > room or number - start == most_items):
            found.append(slice(start, number))
            start, used = number, 0
        used += size
    return [*found, slice(start, len(sizes))]


def join(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Returns the outputs of all parts, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
