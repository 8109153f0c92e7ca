"""How much shapes say of the number of lumbar vertebrae in columns as the detector finds them.

    python -m benchmarks.number_weight --spider_dir=../shared/data/spider_t2space \\
        --data_dir=slices --model_dir=detectors \\
        --parameters_file=spine_tf/detection/labelling.json

SPIDER names the last lumbar vertebra L5 in every patient, so each counts as one of five. Columns of
4 and 6 are simulated from its quads. `number_weight` makes the true numbers most probable, with
detected columns and simulated ones in the proportion of the prior; it is fitted once more without
each patient. Writes OUTPUT_DIR/number_weight.json, and the weight to --parameters_file.
"""

import dataclasses
import os

import numpy as np
from absl import flags
from scipy import optimize, special

from spine_tf import cli

_FLAGS = flags.FLAGS
_RESULTS = "number_weight.json"
_FORM = "spine_tf number weight/1"
_SEED = 5
_PHANTOMS = 40  # whose S2 lies below the S1 of patients


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("spider_dir", None, "SPIDER folder with sacrum.json.")
    flags.DEFINE_string("data_dir", None, "Slices that the detectors were trained on.")
    flags.DEFINE_string("model_dir", None, "Model folder with all folds.")
    cli.required("spider_dir", "data_dir", "model_dir")
    flags.DEFINE_string("output_dir", "docs/results", f"Folder of {_RESULTS}.")
    flags.DEFINE_string("parameters_file", None, "Labelling parameters that get the weight.")


def main(argv: list[str]) -> None:
    """Detects, fits and writes the results."""
    del argv
    from benchmarks import results_file
    from spine_tf import files
    from spine_tf.detection import label_parameters

    parameters = label_parameters.load()
    prior = np.array(parameters.lumbar_prior)
    names, detected = _detected(parameters)
    simulated = [_simulated(number, parameters) for number in (4, 6)]
    found = {"weight": fit(detected, *simulated, prior), "patients": {}}
    for i, name in enumerate(names):
        weight = fit(np.delete(detected, i, axis=0), *simulated, prior)
        shares = np.exp(log_shares(detected[i : i + 1], prior, weight)[0])
        found["patients"][name] = {
            "weight_without_it": weight,
            "probability_of_4_5_6": np.round(shares, 4).tolist(),
        }
    print(found)
    path = os.path.join(_FLAGS.output_dir, _RESULTS)
    command = results_file.command("number_weight", _FLAGS)
    results_file.write(path, _FORM, "spider", found, command)
    if _FLAGS.parameters_file:
        settings = dataclasses.replace(parameters.settings, number_weight=found["weight"])
        changed = dataclasses.replace(parameters, settings=settings)
        files.write_json(_FLAGS.parameters_file, label_parameters.to_json(changed))


def fit(detected: np.ndarray, of_four: np.ndarray, of_six: np.ndarray, prior: np.ndarray) -> float:
    """Returns the weight under which the true numbers are most probable.

    Args:
        detected: [n, 3] log evidence for 4, 5 and 6 of columns of five.
        of_four: [m, 3] the same of columns of four.
        of_six: [k, 3] the same of columns of six.
        prior: [3] shares of 4, 5 and 6, by which the three kinds count.
    """

    def loss(weight: float) -> float:
        kinds = (of_four, detected, of_six)
        means = [log_shares(one, prior, weight)[:, i].mean() for i, one in enumerate(kinds)]
        return -sum(share * mean for share, mean in zip(prior, means, strict=True))

    return round(float(optimize.minimize_scalar(loss, bounds=(0, 2), method="bounded").x), 3)


def log_shares(evidence: np.ndarray, prior: np.ndarray, weight: float) -> np.ndarray:
    """[n, 3] log probability of 4, 5 and 6, from log evidence [n, 3]."""
    return special.log_softmax(np.log(prior) + weight * np.asarray(evidence), axis=1)


def _log_evidence(found, discs, foot_edge_mm, parameters):
    """[3] of a column, for 4, 5 and 6."""
    from spine_tf.detection import chain, evidence

    column = sorted(found, key=lambda candidate: -candidate.center_mm[2])
    gathered = evidence.gather(column, discs, parameters, foot_edge_mm)
    return [chain.marginals(evidence.weigh(one, parameters.settings))[1] for one in gathered]


def _detected(parameters):
    """Names of images, and [n, 3] evidence in what folds find in patients they left out."""
    from benchmarks import spider_folds
    from data_prep import convert_spider_lib
    from spine_tf.detection import detector

    names, rows = [], []
    folds = spider_folds.left_out(_FLAGS.spider_dir, _FLAGS.data_dir, _FLAGS.model_dir)
    for folder, held_out in folds:
        predict = detector.predictor(folder.load_model())
        for request in held_out:
            scan, _ = convert_spider_lib.load(request)
            seen = detector.detect(scan, predict)
            edge_mm = detector.foot_edge_mm(scan)
            names.append(os.path.basename(request.path))
            rows.append(_log_evidence(seen.bodies, seen.discs, edge_mm, parameters))
    return names, np.array(rows)


def _simulated(number: int, parameters):
    """[m, 3] evidence in columns of `number` lumbar vertebrae, made of SPIDER's quads."""
    from benchmarks import labelling_cases

    phantoms = labelling_cases.phantom_columns(_SEED, _PHANTOMS)
    patients = labelling_cases.spider_columns(_FLAGS.spider_dir, phantoms)
    errors = labelling_cases.Errors(num_lumbar=number)
    rows = []
    for i, truth in enumerate(patients):
        if "S1" in truth.quads:
            made = labelling_cases.simulate(truth, errors, True, (_SEED, number, i))
            rows.append(_log_evidence(made.found, made.discs, made.foot_edge_mm, parameters))
    return np.array(rows)


if __name__ == "__main__":
    cli.run(define_flags, main)
