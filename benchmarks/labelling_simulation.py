"""How often a column is named right, shifted or not at all, when the detector errs.

    python -m benchmarks.labelling_simulation --spider_dir=../shared/data/spider_t2space \\
        --parameters_file=spine_tf/detection/labelling.json

True quads of SPIDER and of phantoms, with small errors at every corner and one scenario of larger
errors at a time, with a simulated network's opinion of the levels and without one. Shapes are
fitted without the patient that is tested, weights on the other half of the patients, but for that
of the number of lumbar vertebrae, which `number_weight` fits to detected columns. Phantoms are
tested with shapes of all SPIDER patients and of other phantoms. Writes
OUTPUT_DIR/labelling_simulation.json, and the parameters fitted on everything to --parameters_file.
"""

import collections
import dataclasses
import os

from absl import flags

from spine_tf import cli

_FLAGS = flags.FLAGS
_FIT_SEED, _TEST_SEED = 101, 202
_PHANTOM_SHARE = 10.0  # all phantoms together count as so many patients
_OUTCOMES = ("right", "counted_as_5", "shifted", "wrong", "abstained")
_SOURCE = "SPIDER T2 SPACE (CC BY 4.0, see docs/ATTRIBUTION.md) and phantoms"


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("spider_dir", None, "SPIDER folder with sacrum.json.")
    cli.required("spider_dir")
    flags.DEFINE_string("output_dir", "docs/results", "Folder of labelling_simulation.json.")
    flags.DEFINE_string("parameters_file", None, "Where the fitted parameters are written.")
    flags.DEFINE_integer("phantoms", 40, "Phantoms to fit, and as many to test.", lower_bound=2)
    flags.DEFINE_integer("repeats", 3, "Random errors of each patient and scenario.", lower_bound=1)
    flags.DEFINE_integer("num_draws", 2000, "Bootstrap draws.", lower_bound=2)


def main(argv: list[str]) -> None:
    """Fits, simulates and writes the results."""
    del argv
    from benchmarks import labelling_cases
    from spine_tf import files
    from spine_tf.detection import label_parameters

    fit_phantoms = labelling_cases.phantom_columns(_FIT_SEED, _FLAGS.phantoms)
    test_phantoms = labelling_cases.phantom_columns(_TEST_SEED, _FLAGS.phantoms)
    patients = labelling_cases.spider_columns(_FLAGS.spider_dir, fit_phantoms)
    without = [_parameters(_others(patients, i), fit_phantoms) for i in range(len(patients))]
    with_s1 = [i for i, truth in enumerate(patients) if "S1" in truth.quads]
    halves = [with_s1[0::2], with_s1[1::2]]
    fitted = [
        _fit_weights([patients[i] for i in half], [without[i] for i in half]) for half in halves
    ]
    tested = {
        i: _weighted(without[i], fitted[1 - h]) for h, half in enumerate(halves) for i in half
    }
    every = _parameters(patients, fit_phantoms)
    weights = {k: (fitted[0][0][k] + fitted[1][0][k]) / 2 for k in fitted[0][0]}
    packaged = dataclasses.replace(_weighted(every, (weights, 0.0)), source=_SOURCE)
    found = {
        "spider": _test([patients[i] for i in tested], list(tested.values())),
        "phantoms": _test(test_phantoms, [packaged] * len(test_phantoms)),
    }
    found["weights_of_each_half"] = [of for of, _ in fitted]
    found["mean_log_probability_of_truth"] = [value for _, value in fitted]
    found["repeats"] = _FLAGS.repeats
    found["settings"] = dataclasses.asdict(packaged.settings)
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    files.write_json(os.path.join(_FLAGS.output_dir, "labelling_simulation.json"), found)
    if _FLAGS.parameters_file:
        files.write_json(_FLAGS.parameters_file, label_parameters.to_json(packaged))


def _others(patients, left_out: int) -> list:
    return [truth for i, truth in enumerate(patients) if i != left_out]


def _parameters(patients, phantoms):
    """Shapes of patients and phantoms; S2 of patients was taken from phantoms and is left out."""
    from spine_tf.detection import label_parameters

    columns = [
        {name: quad for name, quad in truth.quads.items() if name != "S2"} for truth in patients
    ] + [truth.quads for truth in phantoms]
    counts = [1.0] * len(patients) + [_PHANTOM_SHARE / len(phantoms)] * len(phantoms)
    return label_parameters.Parameters(label_parameters.fit(columns, counts))


def _weighted(parameters, fitted):
    settings = dataclasses.replace(parameters.settings, **fitted[0])
    return dataclasses.replace(parameters, settings=settings)


def _fit_weights(patients, parameters):
    from benchmarks import labelling_cases
    from spine_tf.detection import label_calibration, label_parameters

    prior = dict(zip(label_parameters.NUMBERS_OF_LUMBAR, parameters[0].lumbar_prior, strict=True))
    scenarios = [e for e in labelling_cases.SCENARIOS.values() if not e.square_s1]
    frequency = collections.Counter(errors.num_lumbar for errors in scenarios)
    columns, of = [], []
    for number, errors in enumerate(scenarios):
        weight = prior[errors.num_lumbar] / frequency[errors.num_lumbar]
        for truth, each in zip(patients, parameters, strict=True):
            seed = (_FIT_SEED, number, int(truth.patient))
            column = labelling_cases.simulate(truth, errors, True, seed)
            columns.append(dataclasses.replace(column, weight=weight))
            of.append(each)
    fitted, value = label_calibration.fit_weights(columns, of)
    # What is said of the number is weighed as in columns that the detector finds.
    return fitted | {"number_weight": label_parameters.load().settings.number_weight}, value


def _test(patients, parameters) -> dict:
    """Opinion -> scenario -> outcomes."""
    from benchmarks import labelling_cases

    found = {}
    for opinion, network in (("no opinion", False), ("simulated network", True)):
        found[opinion] = {}
        for number, (name, errors) in enumerate(labelling_cases.SCENARIOS.items()):
            cases = [
                (
                    i,
                    labelling_cases.simulate(
                        truth, errors, network, (_TEST_SEED, number, i, repeat)
                    ),
                )
                for i, truth in enumerate(patients)
                for repeat in range(_FLAGS.repeats)
            ]
            outcomes = [
                (i, *_outcome(column, parameters[i], errors.num_lumbar)) for i, column in cases
            ]
            found[opinion][name] = _summary(outcomes)
            print(f"{opinion:18}{name:48}", *found[opinion][name]["outcomes"].items())
    return found


def _outcome(column, parameters, num_lumbar: int) -> tuple[str, str]:
    """One of `_OUTCOMES`, and the reason of an abstention."""
    from spine_tf.detection import evidence, label_parameters, labelling

    found = labelling.label(column.found, column.discs, parameters, column.foot_edge_mm)
    if found.status == "unknown":
        return "abstained", found.reason.split(":")[0]
    named = [
        (t, n) for t, n in zip(column.names, found.names, strict=True) if n not in (None, "S2")
    ]
    if all(true == name for true, name in named):
        return "right", ""
    ordinary = list(label_parameters.ROLES)
    wanted = [name for name in evidence.places(num_lumbar).names if name]
    if any(true not in wanted or name not in ordinary for true, name in named):
        return "wrong", ""
    offsets = {
        (ordinary.index(name) - ordinary.index("S1")) - (wanted.index(true) - wanted.index("S1"))
        for true, name in named
    }
    if num_lumbar != 5 and offsets == {0}:
        return "counted_as_5", ""
    return ("shifted" if len(offsets) == 1 else "wrong"), ""


def _summary(outcomes) -> dict:
    import numpy as np

    from spine_tf.evaluation import bootstrap

    units, num_units = bootstrap.codes([i for i, _, _ in outcomes])
    counts = bootstrap.draw_counts(num_units, _FLAGS.num_draws, 0)
    number = collections.Counter(outcome for _, outcome, _ in outcomes)
    answered = np.array([outcome != "abstained" for _, outcome, _ in outcomes])
    right = np.array([outcome == "right" for _, outcome, _ in outcomes])
    return {
        "columns": len(outcomes),
        "outcomes": {name: number[name] for name in _OUTCOMES},
        "abstention_rate": bootstrap.share(~answered, units, counts, "no column"),
        "right_among_answered": bootstrap.share(
            right[answered], units[answered], counts, "no column was answered"
        ),
        "reasons": dict(collections.Counter(reason for _, _, reason in outcomes if reason)),
    }


if __name__ == "__main__":
    cli.run(define_flags, main)
