"""The Siamese step of the preset `paper`, beside PyTorch and beside the machine's own peak."""

import functools

from benchmarks import contender, spine_step, step_flops, torch_vgg

_TENSORFLOW = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def measure(dtype: str, batch_size: int, repeats: int, try_compile: bool) -> dict:
    """Times steps of TensorFlow, of PyTorch's ways, and a matrix product, in turn.

    Args:
        dtype: "float32" or "bfloat16".
        batch_size: Crops of a step; N crops make N pairs, half of them positive.
        repeats: Rounds.
        try_compile: Whether torch.compile is one of PyTorch's ways.

    Returns:
        Seconds, crops per second, ratio to PyTorch's best way, and share of the peak.

    Raises:
        ValueError: If the two networks have not as many parameters.
    """
    ways = {
        "tensorflow": (spine_step.make, "paper", _TENSORFLOW[dtype], batch_size),
        "torch": (torch_vgg.make, dtype, batch_size, False),
        "torch channels_last_3d": (torch_vgg.make, dtype, batch_size, True),
    }
    if try_compile:
        ways["torch compiled"] = (torch_vgg.make, dtype, batch_size, False, True)
    ways["matmul"] = (step_flops.make_peak, dtype)
    processes = {}
    for name, (make, *arguments) in ways.items():  # one by one: the first call compiles
        processes[name] = contender.Contender(make, *arguments)
        processes[name].wait_ready()
    check_parameters({name: process.facts for name, process in processes.items()})
    counts = dict.fromkeys(ways, 1) | {"matmul": 4}
    seconds = contender.interleave(
        {name: [process] for name, process in processes.items()}, counts, repeats
    )
    found = summarise(seconds, processes["tensorflow"].facts, processes["matmul"].facts)
    found["peak_gb"] = {name: round(one.peak_gb(), 2) for name, one in processes.items()}
    for process in processes.values():
        process.close()
    return {"dtype": dtype, "repeats": repeats} | found


def check_parameters(facts: dict[str, dict]) -> None:
    """Raises ValueError where two networks have not as many parameters."""
    counts = {name: one["parameters"] for name, one in facts.items() if "parameters" in one}
    if len(set(counts.values())) > 1:
        raise ValueError(f"`parameters` of all networks must be the same, got {counts}.")


def summarise(seconds: dict[str, list[float]], step: dict, matmul: dict) -> dict:
    """Works out rates, ratios and shares.

    Args:
        seconds: Way -> seconds of a step in every round; "matmul" of a product.
        step: Facts of the TensorFlow step.
        matmul: Facts of the product.

    Returns:
        See `measure`. Ratios are of the same round; PyTorch's best way is that of the least median.
    """
    size, rates = step["batch_size"], {}
    torch_ways = [name for name in seconds if name.startswith("torch")]
    best = min(torch_ways, key=lambda name: contender.summary(seconds[name])["median"])
    for name, found in seconds.items():
        rates[name] = [size / value for value in found]
    peak = [matmul["flops"] / value / 1e9 for value in seconds["matmul"]]
    reached = functools.partial(_gflops, flop=step["step_gflop_per_crop"])
    del rates["matmul"]
    return {
        "batch_size": size,
        "parameters": step["parameters"],
        "step_gflop_per_crop": round(step["step_gflop_per_crop"], 3),
        "crops_per_second": {name: contender.summary(found) for name, found in rates.items()},
        "matmul_gflops": contender.summary(peak, 1),
        "share_of_peak": {
            name: contender.ratios(reached(rates[name]), peak) for name in ("tensorflow", best)
        },
        "torch_best": best,
        "tensorflow_over_torch": contender.ratios(rates["tensorflow"], rates[best]),
    }


def _gflops(rates: list[float], flop: float) -> list[float]:
    return [rate * flop for rate in rates]
