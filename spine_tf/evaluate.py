"""Evaluates a trained model on one split of a data set.

    spine-tf evaluate --model_dir=model --data_dir=data --output_dir=evaluation

The split is that of the protocol the model was trained on. --model_dir may hold folds (fold0,
fold1, ...): then each is evaluated on its own test split and the predictions are pooled. A data set
with another split than the one of the training is refused, because subjects would leak; give
--other_data for one that holds none of the subjects of the training.

Writes evaluation.json, pictures and, for grading, predictions.csv. Intervals are 95% bootstrap
intervals over subjects.
"""

from absl import flags

from spine_tf import allocator, cli, dataclass_flags
from spine_tf.evaluation import options


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("model_dir", None, "Model folder of `train`, or a folder of its folds.")
    flags.DEFINE_string("data_dir", None, "Data set.")
    flags.DEFINE_string("output_dir", None, "Folder of the results; made if missing.")
    cli.required("model_dir", "data_dir", "output_dir")
    dataclass_flags.define(options.Options)


def main(argv: list[str]) -> None:
    """Runs the evaluation and prints a short table."""
    del argv
    allocator.keep_freed_memory()
    from spine_tf.evaluation import run

    values = flags.FLAGS
    chosen = dataclass_flags.make(options.Options)
    content = run.evaluate(values.model_dir, values.data_dir, values.output_dir, chosen)
    print("\n".join(run.lines(content)))
    print(f"results: {values.output_dir}/{run.EVALUATION}")


if __name__ == "__main__":
    cli.run(define_flags, main)
