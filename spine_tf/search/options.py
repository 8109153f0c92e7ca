"""Options of a search. Each field is a flag of `tune`. No TensorFlow here."""

import dataclasses

from spine_tf import flag_field

RANDOM, HYPERBAND, BAYESIAN = "random", "hyperband", "bayesian"


@dataclasses.dataclass(frozen=True)
class Options:
    """How is searched, and for what."""

    tuner: str = flag_field.option(
        RANDOM,
        "random; bayesian (Gaussian process over the trials so far); hyperband (many short trials,"
        " of which the best go on).",
        choices=(RANDOM, HYPERBAND, BAYESIAN),
    )
    max_trials: int = flag_field.option(
        0, "Trials at most; 0 is 20, and all that its brackets hold for hyperband."
    )
    space: str = flag_field.option("", "JSON file of the search space; empty is the task's own.")
    objective: str = flag_field.option(
        "",
        "Column of metrics.csv that shall be large (of the probe's, with a probe);"
        " val_balanced_accuracy is the mean over the outputs. Empty is val_same_subject/auc where"
        " there is one, else val_balanced_accuracy.",
    )
    probe: str = flag_field.option(
        "",
        "Task that is trained on the frozen encoder of each trial, grading say; its validation is"
        " the objective.",
    )
    probe_options: str = flag_field.option("{}", "JSON object of the fields of the probe's task.")
    probe_epochs: int = flag_field.option(20, "Epochs of the probe, without augmentation.")
    hyperband_factor: int = flag_field.option(3, "Of so many trials hyperband lets one go on.")

    def __post_init__(self):
        for name, least in (("max_trials", 0), ("probe_epochs", 1), ("hyperband_factor", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}, got {getattr(self, name)}.")
