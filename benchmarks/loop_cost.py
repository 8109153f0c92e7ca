"""What the training loop costs over the bare compiled step, on the same batches in memory."""

import statistics
import tempfile
import time

from benchmarks import contender, spine_step
from spine_tf import config


class _Batches:
    """One batch over and over, where the loop expects those of a data set."""

    def __init__(self, batch, count: int):
        self._batch, self._count = batch, count

    def num_steps(self, split: str) -> int:
        del split
        return self._count

    def of_epoch(self, split: str, epoch: int, first_step: int = 0):
        del split, epoch
        for number in range(first_step, self._count):
            yield number, self._batch


def measure(preset: str, batch_size: int, num_steps: int, repeats: int) -> dict:
    """Runs an epoch of steps through the loop and as many bare, in turn.

    The loop's epoch includes its counters, progress bar, losses and checks; reading records,
    validation and checkpoints are not part of it.

    Args:
        preset: Size of the network.
        batch_size: Crops of a step.
        num_steps: Steps of an epoch.
        repeats: Rounds.

    Returns:
        Seconds per step of both and the ratio, loop over bare.
    """
    with tempfile.TemporaryDirectory() as folder:
        run, batch = _run(folder, preset, batch_size, num_steps)
        found: dict[str, list[float]] = {"bare": [], "loop": []}
        for repeat in range(repeats + 1):  # the first one warms up
            run._state.next_epoch()
            ways = {"bare": lambda: _bare(run._steps, batch, num_steps), "loop": run._train_epoch}
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                if repeat:
                    found[name].append((time.perf_counter() - start) / num_steps)
    cost = contender.ratios(found["loop"], found["bare"])
    seconds = {name: contender.summary(values) for name, values in found.items()}
    added = statistics.median(a - b for a, b in zip(found["loop"], found["bare"], strict=True))
    return {
        "preset": preset,
        "batch_size": batch_size,
        "steps": num_steps,
        "seconds_per_step": seconds,
        "loop_over_bare": cost,
        "added_ms_per_step": round(1000 * added, 2),
    }


def _bare(steps, batch, count: int) -> None:
    for _ in range(count):
        losses = steps.train(batch, is_last=False)
    float(losses["loss"])


def _run(folder: str, preset: str, batch_size: int, num_steps: int):
    """A run of the loop over one batch, and that batch."""
    from spine_tf import tasks
    from spine_tf.training import loop, model_folder
    from spine_tf.training import strategy as strategies

    settings = config.TrainConfig(batch_size=batch_size)
    made, known = tasks.make("longitudinal", '{"margin_unit": "distance"}'), spine_step.statistics()
    model_config = config.preset(preset)
    described = model_folder.ModelFolder(
        folder, made, model_config, settings, known, made.protocol, {}, {}, {}
    )
    model = described.build()
    batch = spine_step.random_batch(made.encoder_shape(model_config), batch_size)
    batches, strategy = _Batches(batch, num_steps), strategies.make("one")
    return loop._Run(described, model, model, strategy, batches, lambda *_: None), batch
