"""What a step of every preset costs here, and an estimate for GPUs."""

from benchmarks import contender, spine_step
from spine_tf import config

# Positives of an epoch of the paper's cohort: 339 training subjects of 7 levels, two crops each.
EPOCH_CROPS = 339 * 7 * 2
GPU_TFLOPS = {  # published dense rates: float32 on tensor cores (TF32; T4: plain), half precision
    "T4": (8.1, 65.0),
    "A100": (156.0, 312.0),
    "H100 SXM": (494.5, 989.4),
}
UTILISATION = 0.3


def measure(batch_sizes: dict[str, int], num_steps: int, repeats: int) -> dict:
    """Times the float32 step of presets in turn.

    Args:
        batch_sizes: Preset -> crops of a step.
        num_steps: Steps of one measurement of the half-size presets; of the others it is 1.
        repeats: Rounds.

    Returns:
        Preset -> parameters, GFLOP, memory, seconds per step and per epoch, GPU estimates.
    """
    processes = {}
    for name, size in batch_sizes.items():
        processes[name] = contender.Contender(spine_step.make, name, "float32", size)
        processes[name].wait_ready()
    counts = {name: num_steps if config.preset(name).crop_scale < 1 else 1 for name in batch_sizes}
    together = {name: [process] for name, process in processes.items()}
    seconds = contender.walls(contender.interleave(together, counts, repeats))
    found = {
        name: row(process.facts, seconds[name], process.peak_gb())
        for name, process in processes.items()
    }
    for process in processes.values():
        process.close()
    return found


def row(facts: dict, seconds: list[float], peak_gb: float) -> dict:
    """Returns one preset's costs.

    Args:
        facts: Of `spine_step.make`.
        seconds: Of a step, in every round.
        peak_gb: Most memory of the process.
    """
    per_step = contender.summary(seconds)
    flops = facts["step_gflop_per_crop"] * 1e9 * EPOCH_CROPS
    return {
        "parameters": facts["parameters"],
        "step_gflop_per_crop": round(facts["step_gflop_per_crop"], 3),
        "batch_size": facts["batch_size"],
        "peak_gb": round(peak_gb, 2),
        "seconds_per_step": per_step,
        "epoch_minutes": round(per_step["median"] / facts["batch_size"] * EPOCH_CROPS / 60, 2),
        "estimated_gpu_epoch_seconds": {
            name: [round(flops / (rate * 1e12 * UTILISATION), 1) for rate in rates]
            for name, rates in GPU_TFLOPS.items()
        },
    }
