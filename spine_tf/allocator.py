"""Keeps freed memory in the process, which makes training on a CPU about 1.4 times as fast.

glibc gives every buffer above 32 MB back to the kernel when it is freed, and the next operation
faults its pages in again one by one: a fifth of the time of a step. Told to keep them, and to
use one arena, it does not. Measured with the `tiny` network on two cores: 42 against 58 bodies and
83 against 130 discs per second. The process then holds the most memory it ever needed.
"""

import ctypes

# Parameters of mallopt, from glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
_SETTINGS = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**29), (_ARENA_MAX, 1))


def keep_freed_memory() -> bool:
    """Sets the allocator up, before TensorFlow is loaded.

    Returns:
        Whether it could be: only with glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(*setting) for setting in _SETTINGS)
