"""Speed of serving: batch scoring, the bare SavedModel, one scan, bfloat16, and PyTorch.

    pip install '.[benchmarks]'        # PyTorch, of the part engines only
    python -m benchmarks.serving --data_dir=records --work_dir=work

Every part measures its contenders in turn, several rounds in one run, and gives medians and the
range; it writes its own entry of OUTPUT_DIR/serving.json, "PART PRESET", so a run may do some:

    engines  the SavedModel beside the compiled Keras model, in float32 and bfloat16, and PyTorch's
             inference of the same network, on one batch in memory
    scan     one `scan` request for the discs of a phantom, and how much of it is cropping
    scoring  spine-tf score over --num_discs records beside the bare SavedModel in a loop

--data_dir is a data set at the crop scale of --scoring_preset. Weights are first ones: they do not
change the time. docs/serving.md has the results.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from absl import flags

from spine_tf import allocator, cli, config

_FLAGS = flags.FLAGS
NAME = "serving.json"
FORMAT = "spine_tf serving speed/1"
_PRECISIONS = ("float32", "bfloat16")


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_list("parts", list(_PARTS), f"Some of {', '.join(_PARTS)}.")
    flags.DEFINE_string("data_dir", "", "Data set with disc records, for scoring.")
    flags.DEFINE_string("work_dir", None, "Where models, exports and tables go, in a new folder.")
    flags.DEFINE_string("output_dir", "docs/results", "Folder of serving.json.")
    cli.required("work_dir")
    flags.DEFINE_integer("repeats", 5, "Interleaved rounds.", lower_bound=1)
    flags.DEFINE_enum("preset", "paper", list(config.PRESETS), "Network of engines and scan.")
    flags.DEFINE_integer("batch_size", 8, "Discs of a batch of engines.", lower_bound=1)
    flags.DEFINE_list(
        "precisions",
        list(_PRECISIONS),
        "Those of engines. A processor without instructions for bfloat16 takes minutes a batch.",
    )
    flags.DEFINE_bool("torch", True, "Measure PyTorch, where it is installed.")
    flags.DEFINE_enum("scoring_preset", "small", list(config.PRESETS), "Network of scoring.")
    flags.DEFINE_integer("scoring_batch_size", 32, "Discs of a batch of scoring.", lower_bound=1)
    flags.DEFINE_integer("num_discs", 20_000, "Discs that are scored.", lower_bound=1)
    flags.DEFINE_integer("loop_batches", 40, "Batches of the bare loop.", lower_bound=1)
    flags.DEFINE_integer("scoring_repeats", 3, "Rounds of scoring.", lower_bound=1)


def main(argv: list[str]) -> None:
    """Measures and writes."""
    del argv
    allocator.keep_freed_memory()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name, known in (("parts", tuple(_PARTS)), ("precisions", _PRECISIONS)):
        if not set(_FLAGS[name].value) <= set(known):
            raise cli.UsageError(
                f"--{name} must be of {', '.join(known)}, got {', '.join(_FLAGS[name].value)}."
            )
    if "scoring" in _FLAGS.parts and not _FLAGS.data_dir:
        raise cli.UsageError("--data_dir must be given for the part scoring.")
    os.makedirs(_FLAGS.work_dir, exist_ok=True)
    for name in _FLAGS.parts:
        with tempfile.TemporaryDirectory(dir=_FLAGS.work_dir) as folder:
            found = _PARTS[name](folder)
        print(f"{name}: {found}")
        _write(name, found)


def _write(part: str, found: dict) -> None:
    from benchmarks import results_file

    path = os.path.join(_FLAGS.output_dir, NAME)
    command = results_file.command("serving", _FLAGS, part)
    results_file.write(path, FORMAT, f"{part} {found['preset']}", found, command)


# === Engines ===


def _engines(work_dir: str) -> dict:
    from benchmarks import contender, serving_contenders, torch_grading
    from spine_tf import gradings

    classes = gradings.num_classes(serving_contenders.GRADINGS)
    size, preset = _FLAGS.batch_size, _FLAGS.preset
    made = {}
    for name in _FLAGS.precisions:
        precision = name if name == "float32" else "mixed_bfloat16"
        folders = serving_contenders.make_export(work_dir, preset, precision)
        made[f"compiled {name}"] = (serving_contenders.make_compiled, folders[0], size)
        made[f"saved {name}"] = (serving_contenders.make_saved, folders[1], size)
    if _FLAGS.torch and importlib.util.find_spec("torch"):
        ways = [(n, last) for n in _FLAGS.precisions for last in (False, True)]
        for name, last in ways:
            title = f"torch {name}{' channels_last_3d' if last else ''}"
            made[title] = (torch_grading.make, preset, classes, name, size, last)
    processes = {name: contender.Contender(*arguments) for name, arguments in made.items()}
    for process in processes.values():
        process.wait_ready()
    parameters = {p.facts["parameters"] for p in processes.values() if "parameters" in p.facts}
    if len(parameters) > 1:
        raise ValueError(f"`parameters` of all networks must be the same, got {parameters}.")
    times = contender.interleave(
        {name: [process] for name, process in processes.items()},
        dict.fromkeys(processes, 2),
        _FLAGS.repeats,
    )
    for process in processes.values():
        process.close()
    found = summarise_engines(contender.walls(times), size)
    return {"preset": preset, "batch_size": size, "parameters": parameters.pop()} | found


def summarise_engines(seconds: dict[str, list[float]], batch_size: int) -> dict:
    """Works out rates, and ratios within the rounds.

    Args:
        seconds: Contender -> seconds of a batch in every round.
        batch_size: Discs of a batch.

    Returns:
        Discs per second of each; the SavedModel over the compiled model, bfloat16 over float32, and
        over PyTorch's faster way in either precision.
    """
    from benchmarks import contender

    found = {
        "discs_per_second": {
            name: contender.summary([batch_size / value for value in values], 3)
            for name, values in seconds.items()
        }
    }
    saved_models = {name: seconds.get(f"saved {name}") for name in _PRECISIONS}
    if all(saved_models.values()):
        found["saved_bfloat16_over_float32"] = contender.ratios(*saved_models.values())
    for name, saved in saved_models.items():
        if not saved:
            continue
        found[f"saved_over_compiled_{name}"] = contender.ratios(seconds[f"compiled {name}"], saved)
        ways = [values for key, values in seconds.items() if key.startswith(f"torch {name}")]
        if ways:
            best = min(ways, key=lambda values: contender.summary(values)["median"])
            found[f"saved_over_torch_{name}"] = contender.ratios(best, saved)
    return found


# === One scan ===


def _scan(work_dir: str) -> dict:
    from benchmarks import contender, serving_contenders

    _, export_dir = serving_contenders.make_export(work_dir, _FLAGS.preset)
    scan = contender.Contender(serving_contenders.make_scan, export_dir)
    scan.wait_ready()
    discs = scan.facts["discs"]
    crops = contender.Contender(serving_contenders.make_saved, export_dir, discs)
    crops.wait_ready()
    times = contender.interleave(
        {"scan": [scan], "crops": [crops]}, {"scan": 2, "crops": 2}, _FLAGS.repeats
    )
    for process in (scan, crops):
        process.close()
    seconds = contender.walls(times)
    shares = [1 - crop / whole for whole, crop in zip(*seconds.values(), strict=True)]
    return (
        {"preset": _FLAGS.preset}
        | scan.facts
        | {
            "seconds": {name: contender.summary(values) for name, values in seconds.items()},
            "share_of_cropping": contender.summary(shares),
        }
    )


# === Batch scoring ===


def _scoring(work_dir: str) -> dict:
    from benchmarks import contender, serving_contenders

    scale = _record_scale()
    _, export_dir = serving_contenders.make_export(
        work_dir, _FLAGS.scoring_preset, record_scale=scale
    )
    data_dir = serving_contenders.repeat_records(_FLAGS.data_dir, work_dir, _FLAGS.num_discs)
    size, cores = _FLAGS.scoring_batch_size, os.cpu_count() or 1
    make = (serving_contenders.make_loop, export_dir, _FLAGS.data_dir, size)
    one_thread = contender.thread_limits(1)
    loops = {
        "loop": [contender.Contender(*make, _FLAGS.loop_batches)],
        "loop per core": [
            contender.Contender(*make, -(-_FLAGS.loop_batches // cores), environment=one_thread)
            for _ in range(cores)
        ],
    }
    for process in (one for together in loops.values() for one in together):
        process.wait_ready()
    rates = {name: [] for name in (*loops, "score")}
    for number in range(_FLAGS.scoring_repeats):
        for name, together in loops.items():
            (one,) = contender.walls(contender.interleave({name: together}, {name: 1}, 1))[name]
            rates[name].append(sum(p.facts["discs"] for p in together) / one)
        output = os.path.join(work_dir, f"scores-{number}.csv")
        rates["score"].append(_FLAGS.num_discs / _score_seconds(export_dir, data_dir, output))
        print(f"round {number + 1}: score {rates['score'][-1]:.1f} discs/s", flush=True)
    for process in (one for together in loops.values() for one in together):
        process.close()
    best = [max(pair) for pair in zip(rates["loop"], rates["loop per core"], strict=True)]
    return {
        "preset": _FLAGS.scoring_preset,
        "discs": _FLAGS.num_discs,
        "batch_size": size,
        "discs_per_second": {n: contender.summary(values, 2) for n, values in rates.items()},
        "score_over_loop": contender.ratios(rates["score"], rates["loop"]),
        "score_over_best_loop": contender.ratios(rates["score"], best),
    }


def _record_scale() -> float:
    from spine_tf.data import records

    return records.open_folder(_FLAGS.data_dir).crop_scale


def _score_seconds(export_dir: str, data_dir: str, output: str) -> float:
    """Runs the command as a person does, start of its processes included."""
    command = [sys.executable, "-m", "export.score", f"--model={export_dir}"]
    command += [f"--data_dir={data_dir}", f"--output={output}"]
    command += [f"--batch_size={_FLAGS.scoring_batch_size}"]
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"spine-tf score ended with {done.returncode}: {done.stdout}{done.stderr}")
    return time.perf_counter() - start


_PARTS: dict[str, Callable[[str], dict]] = {
    "engines": _engines,
    "scan": _scan,
    "scoring": _scoring,
}


if __name__ == "__main__":
    cli.run(define_flags, main)
