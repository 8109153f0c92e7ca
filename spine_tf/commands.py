"""The table of the commands of `spine-tf`: command -> (module that is run, one line of help).

Modules are named, never imported, here.
"""

COMMANDS = {
    "make-phantom": ("data_prep.make_phantom", "Makes a synthetic longitudinal lumbar cohort."),
    "make-organs": ("data_prep.make_organs", "Makes synthetic fetal planes or abdominal CT."),
    "convert-dicom": ("data_prep.convert_dicom", "Converts DICOM studies to records."),
    "convert-spider": ("data_prep.convert_spider", "Converts the SPIDER data set to records."),
    "convert-images": ("data_prep.convert_images", "Converts 2-D images and volumes to records."),
    "convert-annotations": (
        "data_prep.convert_annotations",
        "Converts label maps and annotations of other tools to vertebrae/1.",
    ),
    "convert-detection": (
        "data_prep.convert_detection",
        "Converts annotated volumes to slices for the vertebra detector.",
    ),
    "detect": ("data_prep.detect", "Finds and names the vertebrae of lumbar MR scans."),
    "pack-detector": (
        "spine_tf.pack_detector",
        "Packs a trained vertebra detector as one small file with its card.",
    ),
    "train": ("spine_tf.train", "Trains a task on a folder of records."),
    "tune": ("spine_tf.tune", "Searches for good settings of a task."),
    "evaluate": ("spine_tf.evaluate", "Evaluates a trained model on one split."),
    "calibrate": (
        "spine_tf.calibrate",
        "Fits a grading model's temperature and threshold on validation.",
    ),
    "export": ("export.export_model", "Writes a trained model as a SavedModel for serving."),
    "check-model": (
        "export.check_model",
        "Checks an exported grading model before it is served, and blesses it.",
    ),
    "score": ("export.score", "Runs exported models over records, SPIDER or DICOM: a table."),
    "drift": ("export.drift", "Says whether scored discs look like the training set."),
    "grade": ("export.grade_study", "Grades the discs of one DICOM study and writes a report."),
    "verify": ("export.verify", "Says whether two DICOM studies are of one person."),
    "demo": ("spine_tf.demo", "Runs the whole way once, on a synthetic cohort."),
    "completion": ("spine_tf.completion", "Prints a script that completes commands in the shell."),
}


def page() -> str:
    """Returns what `spine-tf --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: spine-tf COMMAND --flag=value ...",
            "",
            "commands:",
            *lines,
            "",
            "`spine-tf COMMAND --help` and `spine-tf help COMMAND` list the flags of a command.",
            "`spine-tf --version` prints the versions of what is installed.",
            "Exit status: 0 done, 1 failed, 2 wrong usage, 3 done but some input was rejected.",
        ]
    )
