"""What the detector says of phantoms with 4, 5 or 6 lumbar vertebrae, cut views and scoliosis.

    python -m benchmarks.detection_phantoms

Writes OUTPUT_DIR/detection_phantoms.json: for each kind of `unusual_phantoms` the measures of
`evaluation.detection` with intervals over subjects, and how many subjects are right, counted as 5,
wrong otherwise, or unknown. What counts as right is in docs/detection_labelling.md. The detector
was trained on other phantoms of this renderer: they show how it behaves, not how well it does.
"""

import collections
import os

from absl import flags

from spine_tf import cli

_FLAGS = flags.FLAGS
_RESULTS = "detection_phantoms.json"
_FORM = "spine_tf detection of phantoms/1"


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("detector", "builtin", "builtin, a packed file, or a model folder.")
    flags.DEFINE_string("output_dir", "docs/results", f"Folder of {_RESULTS}.")
    flags.DEFINE_integer("subjects", 20, "Phantoms of each kind.", lower_bound=2)
    flags.DEFINE_integer("seed", 77, "Of the phantoms; 0 made those of the training.")
    flags.DEFINE_integer("num_draws", 2000, "Bootstrap draws.", lower_bound=2)


def main(argv: list[str]) -> None:
    """Renders, detects, compares and writes the results."""
    del argv
    import tqdm

    from benchmarks import results_file, unusual_phantoms
    from data_prep import detectors
    from spine_tf.evaluation import detection as measures

    ready = detectors.load(_FLAGS.detector)
    command = results_file.command("detection_phantoms", _FLAGS)
    for name, kind in unusual_phantoms.KINDS.items():
        cases = []
        for index in tqdm.trange(_FLAGS.subjects, desc=name, disable=None):
            scan, true = unusual_phantoms.make(kind, _FLAGS.seed, index)
            cases.append(measures.Case(str(index), true, ready.find(scan).annotation))
        outcomes = collections.Counter(_outcome(case, kind.num_lumbar) for case in cases)
        reasons = (case.predicted.reason.split(":")[0] for case in cases if case.predicted.reason)
        found = measures.evaluate(cases, _FLAGS.num_draws) | {
            "outcomes": dict(outcomes),
            "reasons": dict(collections.Counter(reasons)),
        }
        print(name, found["outcomes"], found["reasons"])
        path = os.path.join(_FLAGS.output_dir, _RESULTS)
        results_file.write(path, _FORM, name, found, command)


def _outcome(case, num_lumbar: int) -> str:
    """Right, a body missed, counted as 5, wrong, or unknown."""
    import dataclasses

    from benchmarks import unusual_phantoms
    from spine_tf.evaluation import detection as measures

    row = measures.compare(case)
    if not row.answered:
        return "unknown"
    if row.is_right:
        return "right"
    if not row.is_wrong:
        return "right but for a missed body"
    if num_lumbar != 5:
        named = dataclasses.replace(case, true=unusual_phantoms.convention(case.true))
        if not measures.compare(named).is_wrong:
            return "counted as 5"
    return "wrong"


if __name__ == "__main__":
    cli.run(define_flags, main)
