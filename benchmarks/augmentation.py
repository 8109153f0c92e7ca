"""Augmented volumes per second, beside MONAI's and TorchIO's equivalent chains.

    pip install '.[benchmarks]'
    python -m benchmarks.augmentation --output_dir=docs/results

Stored bodies [15, 320, 320] become network inputs [9, 224, 224]: one slice window, one rotation in
the plane, shift and scale, one change of intensity, one reflection of the slices, each drawn anew
for every volume. Every chain gets the same volumes in memory and both cores: ours through tf.data,
the others through PyTorch's DataLoader with a worker per core and a thread each. Repeats are
interleaved; the table gives medians and the range.
"""

import functools
import importlib.metadata
import math
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
from absl import flags

from spine_tf import allocator, cli

_FLAGS = flags.FLAGS
_NUM_STORED = 32


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("output_dir", "docs/results", "Folder of augmentation.json.")
    flags.DEFINE_integer("volumes", 512, "Volumes per repeat.", lower_bound=1)
    flags.DEFINE_integer("repeats", 5, "Interleaved repeats.", lower_bound=1)


def main(argv: list[str]) -> None:
    """Measures and writes."""
    del argv
    allocator.keep_freed_memory()  # for all: DataLoader's workers are forked from here
    from spine_tf import files

    shape = (_NUM_STORED, 15, 320, 320)
    volumes = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    chains = {"spine_tf": ours(volumes), "monai": monai(volumes), "torchio": torchio(volumes)}
    rates = {name: [] for name in chains}
    for repeat in range(_FLAGS.repeats + 1):  # the first one warms up
        for name, run in chains.items():
            start = time.perf_counter()
            run(_FLAGS.volumes)
            if repeat:
                rates[name].append(_FLAGS.volumes / (time.perf_counter() - start))
    content = {
        "volumes_per_second": {name: _summary(found) for name, found in rates.items()},
        "ratio": {
            name: round(statistics.median(rates["spine_tf"]) / statistics.median(found), 2)
            for name, found in rates.items()
        },
        "volumes": _FLAGS.volumes,
        "cores": os.cpu_count(),
        "versions": _versions(),
        "command": f"python -m benchmarks.augmentation --volumes={_FLAGS.volumes}"
        f" --repeats={_FLAGS.repeats}",
    }
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    files.write_json(os.path.join(_FLAGS.output_dir, "augmentation.json"), content)
    for name, found in content["volumes_per_second"].items():
        print(f"{name:10} {found['median']:7.1f} /s [{found['low']:.1f}, {found['high']:.1f}]")


def _summary(rates: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(rates), 1),
        "low": round(min(rates), 1),
        "high": round(max(rates), 1),
    }


def _versions() -> dict[str, str]:
    names = ("tensorflow", "torch", "monai", "torchio")
    return {name: importlib.metadata.version(name) for name in names}


# === Chains: volumes in memory -> a function that makes so many augmented ones ===


def ours(volumes: np.ndarray) -> Callable[[int], None]:
    """The library's own, as training uses it."""
    import tensorflow as tf

    from spine_tf.data import augmentation, crops

    inputs = augmentation.InputConfig(1.0, 1.0, augmentation.AugmentConfig())
    stored = tf.constant(volumes)
    valid = tf.ones(volumes.shape[1], tf.bool), tf.ones(volumes.shape[2:], tf.bool)

    @functools.partial(tf.function, autograph=False)
    def augment(number):
        seed = tf.stack([0, number])
        image = stored[number % _NUM_STORED]
        image = augmentation.network_input(image, *valid, crops.VERTEBRA, inputs, seed)
        flip = tf.random.stateless_uniform([1], seed + 7) < 0.5
        return augmentation.reflect(image[None], flip)[0]

    def run(count: int) -> None:
        numbers = tf.data.Dataset.range(count).map(lambda number: tf.cast(number, tf.int32))
        for _ in numbers.map(augment, num_parallel_calls=tf.data.AUTOTUNE).batch(32):
            pass

    return run


def _loader_of(volumes: np.ndarray, transform: Callable) -> Callable[[int], None]:
    """Runs a transform of [1, 15, 320, 320] tensors through a DataLoader."""
    import torch
    from torch.utils import data

    class Volumes(data.Dataset):
        def __init__(self, count: int):
            self._count = count

        def __len__(self) -> int:
            return self._count

        def __getitem__(self, number: int):
            begin = int(torch.randint(1, 6, ()))  # the slice window, 2 either way
            stored = torch.from_numpy(volumes[number % _NUM_STORED, begin : begin + 9])
            return transform(stored[None])

    def run(count: int) -> None:
        loader = data.DataLoader(
            Volumes(count),
            batch_size=32,
            num_workers=os.cpu_count(),
            worker_init_fn=lambda _: torch.set_num_threads(1),
        )
        for _ in loader:
            pass

    return run


def monai(volumes: np.ndarray) -> Callable[[int], None]:
    """MONAI's dictionary-free transforms, affine in one grid resampling, as its tutorials do."""
    from monai import transforms

    angle = 15 * math.pi / 180
    chain = transforms.Compose(
        [
            transforms.RandAffine(
                prob=1.0,
                rotate_range=(angle, 0.0, 0.0),
                translate_range=(0.0, 24.0, 48.0),
                scale_range=(0.0, 0.1, 0.1),
                mode="bilinear",
                padding_mode="zeros",
                spatial_size=(9, 224, 224),
            ),
            transforms.RandShiftIntensity(offsets=0.2, prob=1.0),
            transforms.ThresholdIntensity(threshold=2.0, above=False, cval=2.0),
            transforms.ThresholdIntensity(threshold=0.0, above=True, cval=0.0),
            transforms.RandFlip(prob=0.5, spatial_axis=0),
        ]
    )
    return _loader_of(volumes, lambda image: chain(image).as_tensor())


def torchio(volumes: np.ndarray) -> Callable[[int], None]:
    """TorchIO's transforms; its affine keeps the size, so the middle is cropped after it."""
    import torch
    import torchio as tio

    chain = tio.Compose(
        [
            tio.RandomAffine(
                scales=(1.0, 1.0, 0.9, 1.1, 0.9, 1.1),
                degrees=(15, 0, 0),
                translation=(0, 24, 48),
                default_pad_value=0,
                image_interpolation="linear",
            ),
            tio.Crop((0, 48, 48)),
            tio.RandomFlip(axes=(0,), flip_probability=0.5),
        ]
    )

    def transform(image):
        found = chain(image) + (torch.rand(()) * 0.4 - 0.2)
        return found.clip(0.0, 2.0)

    return _loader_of(volumes, transform)


if __name__ == "__main__":
    cli.run(define_flags, main)
