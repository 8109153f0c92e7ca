"""Speed of training: the step beside PyTorch, the loop, the input, pairs, two workers, and costs.

    pip install '.[benchmarks]'        # PyTorch, of the part step only
    python -m benchmarks.training --data_dir=records --full_data_dir=full --work_dir=work

Every part measures its contenders in turn, five rounds in one run, and gives medians and the
range; it writes its own entry of OUTPUT_DIR/training.json, so a run may do some of the parts.
--data_dir is a data set at crop scale 0.5, --full_data_dir one at crop scale 1 (make-phantom
--crop_scale=1 --direct_records), both with follow-ups. docs/speed.md has the results.
"""

import os
from collections.abc import Callable

from absl import flags

from spine_tf import allocator, cli, config

_FLAGS = flags.FLAGS
NAME = "training.json"
FORMAT = "spine_tf training speed/1"


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_list("parts", list(_PARTS), f"Some of {', '.join(_PARTS)}.")
    flags.DEFINE_string("data_dir", "", "Data set at crop scale 0.5, for input and modes.")
    flags.DEFINE_string("full_data_dir", "", "Data set at crop scale 1, for input.")
    flags.DEFINE_string("work_dir", "", "Where the models of modes go; new.")
    flags.DEFINE_string("output_dir", "docs/results", "Folder of training.json.")
    flags.DEFINE_integer("repeats", 5, "Interleaved rounds.", lower_bound=1)
    flags.DEFINE_integer("step_batch_size", 16, "Crops of the paper's step.", lower_bound=2)
    flags.DEFINE_integer("bfloat16_batch_size", 2, "The same, in bfloat16.", lower_bound=2)
    flags.DEFINE_integer("thread_batch_size", 4, "The same on one thread.", lower_bound=2)
    flags.DEFINE_bool("torch_compile", False, "Also try torch.compile.")
    flags.DEFINE_list("input_presets", ["paper", "small", "tiny"], "Presets of the part input.")
    flags.DEFINE_list("loop_presets", ["tiny", "small", "paper"], "Presets of the part loop.")
    flags.DEFINE_list("workers_presets", ["small", "paper"], "Presets of the part workers.")
    flags.DEFINE_integer("worker_crops", 16, "Crops of a worker; N crops make N pairs.")
    flags.DEFINE_integer("paper_worker_crops", 8, "The same for paper and full.")
    flags.DEFINE_integer("small_batch_size", 32, "Crops of a step at half size.", lower_bound=4)
    flags.DEFINE_integer("small_steps", 20, "Steps of a measurement at half size.")
    flags.DEFINE_float("mode_seconds", 60.0, "Wall time of a run of the part modes.")
    flags.DEFINE_integer("mode_seeds", 3, "Runs of each mode.", lower_bound=1)
    flags.DEFINE_integer("mode_steps", 30, "Steps of an epoch in the part modes.", lower_bound=1)


def main(argv: list[str]) -> None:
    """Measures and writes."""
    del argv
    allocator.keep_freed_memory()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    unknown = sorted(set(_FLAGS.parts) - set(_PARTS))
    if unknown:
        raise cli.UsageError(f"--parts must be of {', '.join(_PARTS)}, got {', '.join(unknown)}.")
    for name in _FLAGS.parts:
        found = _PARTS[name]()
        print(f"{name}: {found}")
        _write(name, found)


def _write(part: str, found: object) -> None:
    """Puts a part into training.json beside the other ones."""
    from benchmarks import results_file

    path = os.path.join(_FLAGS.output_dir, NAME)
    results_file.write(path, FORMAT, part, found, results_file.command("training", _FLAGS, part))


def _is_half(preset: str) -> bool:
    return config.preset(preset).crop_scale < 1


def _step(dtype: str, batch_size: int, threads: int = 0) -> dict:
    from benchmarks import paper_step

    return paper_step.measure(
        dtype,
        batch_size,
        _FLAGS.repeats,
        try_compile=_FLAGS.torch_compile,
        threads=threads,
    )


def _loop() -> list[dict]:
    from benchmarks import loop_cost

    return [
        loop_cost.measure(
            preset,
            _FLAGS.small_batch_size if _is_half(preset) else 4,
            _FLAGS.small_steps if _is_half(preset) else 2,
            _FLAGS.repeats,
        )
        for preset in _FLAGS.loop_presets
    ]


def _input() -> list[dict]:
    from benchmarks import input_rate

    return [
        input_rate.measure(
            _FLAGS.data_dir if _is_half(preset) else _FLAGS.full_data_dir,
            preset,
            _FLAGS.small_batch_size if _is_half(preset) else 8,
            _FLAGS.small_steps if _is_half(preset) else 2,
            _FLAGS.repeats,
        )
        for preset in _FLAGS.input_presets
    ]


def _modes() -> dict:
    from benchmarks import pair_modes

    return pair_modes.measure(
        _FLAGS.data_dir,
        _FLAGS.work_dir,
        range(_FLAGS.mode_seeds),
        _FLAGS.mode_seconds,
        "tiny",
        _FLAGS.mode_steps,
    )


def _workers() -> list[dict]:
    from benchmarks import distribution

    return [
        distribution.measure(
            preset,
            _FLAGS.worker_crops if _is_half(preset) else _FLAGS.paper_worker_crops,
            5 if _is_half(preset) else 1,
            _FLAGS.repeats,
        )
        for preset in _FLAGS.workers_presets
    ]


def _cost() -> dict:
    from benchmarks import step_cost

    sizes = {
        preset: _FLAGS.small_batch_size if _is_half(preset) else 8 for preset in config.PRESETS
    }
    return step_cost.measure(sizes, 5, _FLAGS.repeats)


_PARTS: dict[str, Callable[[], object]] = {
    "step": lambda: _step("float32", _FLAGS.step_batch_size),
    "thread": lambda: _step("float32", _FLAGS.thread_batch_size, threads=1),
    "bfloat16": lambda: _step("bfloat16", _FLAGS.bfloat16_batch_size),
    "loop": _loop,
    "input": _input,
    "modes": _modes,
    "workers": _workers,
    "cost": _cost,
}


if __name__ == "__main__":
    cli.run(define_flags, main)
