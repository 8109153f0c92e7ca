"""The Siamese step of the preset `paper`, beside PyTorch and beside the machine's own peak."""

import os

from benchmarks import contender, spine_step, step_flops, torch_vgg

_TENSORFLOW = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def measure(dtype: str, batch_size: int, repeats: int, *, try_compile: bool, threads: int) -> dict:
    """Times steps of TensorFlow, of PyTorch's ways, and a matrix product, in turn.

    Args:
        dtype: "float32" or "bfloat16".
        batch_size: Crops of a step; N crops make N pairs, half of them positive.
        repeats: Rounds.
        try_compile: Whether torch.compile is one of PyTorch's ways.
        threads: Threads of each; 0 is all cores. With one, processor seconds can be trusted on a
            busy machine; with several they hold the time that threads wait for each other.

    Returns:
        "wall" by the clock, and of one thread also "cpu" by processor seconds: crops per second,
        ratio to PyTorch's best way, and share of the peak. The best way is that whose second step
        takes the fewest processor seconds.

    Raises:
        ValueError: If the two networks have not as many parameters.
    """
    ways = {"torch": (False, False), "torch channels_last_3d": (True, False)}
    if try_compile:
        ways["torch compiled"] = (False, True)
    environment = contender.thread_limits(threads) if threads else {}
    tried = {name: _try(environment, dtype, batch_size, *way) for name, way in ways.items()}
    best = min(tried, key=tried.__getitem__)
    made = {
        "tensorflow": (spine_step.make, "paper", _TENSORFLOW[dtype], batch_size),
        "torch": (torch_vgg.make, dtype, batch_size, *ways[best]),
        "matmul": (step_flops.make_peak, dtype),
    }
    processes = {}
    for name, (make, *arguments) in made.items():  # one by one: the first call compiles
        processes[name] = contender.Contender(make, *arguments, environment=environment)
        processes[name].wait_ready()
    check_parameters({name: process.facts for name, process in processes.items()})
    times = contender.interleave(
        {name: [process] for name, process in processes.items()},
        {"tensorflow": 1, "torch": 1, "matmul": 4},
        repeats,
    )
    facts = {name: process.facts for name, process in processes.items()}
    found = {
        "wall": summarise(contender.walls(times), facts),
        "torch_best": best,
        "torch_ways_first_seconds": {name: round(value, 2) for name, value in tried.items()},
        "peak_gb": {name: round(one.peak_gb(), 2) for name, one in processes.items()},
    }
    if threads == 1:  # of several threads they hold waiting
        cpu = {name: [one.cpu for one in rounds] for name, rounds in times.items()}
        found["cpu"] = summarise(cpu, facts)
    for process in processes.values():
        process.close()
    return {"dtype": dtype, "repeats": repeats, "threads": threads or os.cpu_count()} | found


def check_parameters(facts: dict[str, dict]) -> None:
    """Raises ValueError where two networks have not as many parameters."""
    counts = {name: one["parameters"] for name, one in facts.items() if "parameters" in one}
    if len(set(counts.values())) > 1:
        raise ValueError(f"`parameters` of all networks must be the same, got {counts}.")


def _try(environment: dict[str, str], dtype: str, batch_size: int, *way: bool) -> float:
    """Returns the processor seconds of a step of PyTorch, the second one."""
    process = contender.Contender(torch_vgg.make, dtype, batch_size, *way, environment=environment)
    process.wait_ready()
    process.start(1)
    seconds = process.seconds().cpu
    process.close()
    return seconds


def summarise(seconds: dict[str, list[float]], facts: dict[str, dict]) -> dict:
    """Works out rates, ratios and shares, each within a round.

    Args:
        seconds: "tensorflow" and "torch" -> seconds of a step in every round, "matmul" -> of a
            product.
        facts: The same names -> what their makers said.

    Returns:
        See `measure`.
    """
    step = facts["tensorflow"]
    rates = {
        name: [step["batch_size"] / value for value in seconds[name]]
        for name in ("tensorflow", "torch")
    }
    peak = [facts["matmul"]["flops"] / value / 1e9 for value in seconds["matmul"]]
    return {
        "batch_size": step["batch_size"],
        "parameters": step["parameters"],
        "step_gflop_per_crop": round(step["step_gflop_per_crop"], 3),
        "crops_per_second": {name: contender.summary(found) for name, found in rates.items()},
        "matmul_gflops": contender.summary(peak, 1),
        "share_of_peak": {
            name: contender.ratios([rate * step["step_gflop_per_crop"] for rate in found], peak)
            for name, found in rates.items()
        },
        "tensorflow_over_torch": contender.ratios(rates["tensorflow"], rates["torch"]),
    }
