"""Volumes that the input supplies over volumes that training consumes, on the same cores."""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable, Iterator

from benchmarks import contender
from spine_tf import config


def measure(data_dir: str, preset: str, batch_size: int, num_steps: int, repeats: int) -> dict:
    """Runs the input alone, the step alone, both together and the host's part, in turn.

    Args:
        data_dir: Data set with follow-ups.
        preset: Size of the network; the data set's crops are at least as large.
        batch_size: Crops of a step.
        num_steps: Steps of one measurement of the step, and of both together.
        repeats: Rounds.

    Returns:
        Volumes per second of the four; "supplied_over_consumed" is the input alone over what
        training consumes with that input running on the same cores; "step_slowed_by" is the step's
        loss of speed through its input; "host" is the input without what --augment_on=device leaves
        to a GPU, and "host_over_input" what that gains.
    """
    from spine_tf.training import batches as batches_lib

    batches, parsed, steps = _parts(data_dir, preset, batch_size)
    batch = next(batches_lib.endless(batches))
    input_steps = max(num_steps, 256 // batch_size)
    ways = {
        "input": lambda number: _drain(_endless(batches.of_epoch, number), input_steps),
        "step": lambda _: _repeat(steps, batch, num_steps),
        "both": lambda number: _train(batches, steps, number, num_steps),
        "host": lambda number: _drain(_endless(parsed.from_host, number), input_steps),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):  # the first one warms up
        for name, way in ways.items():
            done, seconds = way(repeat)
            if repeat:
                rates[name].append(done * batch_size / seconds)
    return {
        "preset": preset,
        "batch_size": batch_size,
        "volumes_per_second": {name: contender.summary(found, 2) for name, found in rates.items()},
        "supplied_over_consumed": contender.ratios(rates["input"], rates["both"]),
        "step_slowed_by": contender.summary(
            [1 - both / step for both, step in zip(rates["both"], rates["step"], strict=True)]
        ),
        "host_over_input": contender.ratios(rates["host"], rates["input"]),
    }


def _parts(data_dir: str, preset: str, batch_size: int):
    """Batches of the training split, the same augmented on the device, and the compiled step."""
    from spine_tf import tasks
    from spine_tf.data import records
    from spine_tf.training import batches as batches_lib
    from spine_tf.training import model_folder, step
    from spine_tf.training import strategy as strategies

    data, made = (
        records.open_folder(data_dir),
        tasks.make("longitudinal", '{"margin_unit": "distance"}'),
    )
    indices = {
        split: data.index(made.record_kind, made.protocol, split)
        for split in ("train", "validation")
    }
    made, settings = made.configure(indices["train"]), config.TrainConfig(batch_size=batch_size)
    model_config = config.preset(preset)
    known = records.statistics(indices["train"], made.class_counts(indices["train"]))
    model = model_folder.build_model(made, model_config, known, settings.seed)
    batches, parsed = (
        batches_lib.Batches(
            made, dataclasses.replace(settings, augment_on=where), model_config.crop_scale, indices
        )
        for where in (config.HOST, config.DEVICE)
    )
    return batches, parsed, step.Steps(model, made, known, settings, strategies.make("one"))


def _endless(of_epoch: Callable[[str, int], Iterable[tuple]], epoch: int) -> Iterator:
    for number in itertools.count(epoch):
        yield from (batch for _, batch in of_epoch("train", number))


def _drain(source: Iterator, num_steps: int) -> tuple[int, float]:
    """Reads batches; the first one, which waits for the pipeline to start, is not timed."""
    next(source)
    start = time.perf_counter()
    for _ in range(num_steps):
        next(source)  # batches are made when asked for
    return num_steps, time.perf_counter() - start


def _repeat(steps, batch, num_steps: int) -> tuple[int, float]:
    start = time.perf_counter()
    for _ in range(num_steps):
        float(steps.train(batch, is_last=True)["loss"])
    return num_steps, time.perf_counter() - start


def _train(batches, steps, epoch: int, num_steps: int) -> tuple[int, float]:
    source = _endless(batches.of_epoch, epoch)
    next(source)
    start = time.perf_counter()
    for _ in range(num_steps):
        float(steps.train(next(source), is_last=True)["loss"])
    return num_steps, time.perf_counter() - start
