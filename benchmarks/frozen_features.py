"""Epochs per second of a grading model over a frozen encoder, with kept features and without.

    python -m benchmarks.frozen_features --data_dir=records --work_dir=work

trains the same heads twice in one run: with `feature_draws` the features of every draw are computed
in the first epochs and reused, without they are computed anew every epoch. The network is not
trained before; that does not change the time. Writes OUTPUT_DIR/frozen_features.json.
"""

import os

from absl import flags

from spine_tf import cli, config

_FLAGS = flags.FLAGS
NAME = "frozen_features.json"


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("data_dir", None, "Data set with graded discs.")
    flags.DEFINE_string("work_dir", None, "Where the models go; it must be new.")
    flags.DEFINE_string("output_dir", "docs/results", "Where the result goes.")
    cli.required("data_dir", "work_dir")
    flags.DEFINE_enum("preset", "tiny", list(config.PRESETS), "Size of the network.")
    flags.DEFINE_string("protocol", "grading", "Protocol of the data set.")
    flags.DEFINE_integer("batch_size", 128, "Discs of one step.")
    flags.DEFINE_integer("draws", 3, "Draws that are kept.", lower_bound=1)
    flags.DEFINE_integer("epochs", 12, "Epochs with kept features.", lower_bound=2)
    flags.DEFINE_integer("plain_epochs", 4, "Epochs without.", lower_bound=2)


def main(argv: list[str]) -> None:
    """Measures, writes and prints."""
    del argv
    from spine_tf import files
    from spine_tf.training import journal, model_folder

    runs = {"kept": (_FLAGS.draws, _FLAGS.epochs), "anew": (0, _FLAGS.plain_epochs)}
    seconds = {}
    for name, (draws, epochs) in runs.items():
        path = os.path.join(_FLAGS.work_dir, name)
        count = _train(path, draws, epochs)
        seconds[name] = [row["seconds"] for row in journal.history(path)]
    content = summary(seconds["kept"], seconds["anew"], _FLAGS.draws) | {
        "training_discs": count,
        "preset": _FLAGS.preset,
        "batch_size": _FLAGS.batch_size,
        "cores": os.cpu_count(),
        "versions": model_folder.library_versions(),
    }
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    files.write_json(os.path.join(_FLAGS.output_dir, NAME), content)
    print(table(content))


def _train(path: str, draws: int, epochs: int) -> int:
    """Trains the heads over a frozen encoder; returns the number of training discs."""
    from spine_tf import tasks
    from spine_tf.data import records
    from spine_tf.training import loop

    data = records.open_folder(_FLAGS.data_dir)
    settings = config.TrainConfig(
        epochs=epochs, batch_size=_FLAGS.batch_size, patience=epochs, feature_draws=draws
    )
    made = tasks.make("grading", '{"gradings": ["disc_degeneration"]}')
    preset = config.preset(_FLAGS.preset)
    loop.train(
        loop.Request(made, preset, settings, data, _FLAGS.protocol, path, freeze_encoder=True)
    )
    rows = data.index(made.record_kind, _FLAGS.protocol, "train").rows
    return sum("disc_degeneration" in row["grades"] for row in rows)


def summary(kept: list[float], anew: list[float], draws: int) -> dict:
    """Returns epochs per second and speed-ups.

    Args:
        kept: Seconds of every epoch with kept features; the first `draws` compute them.
        anew: Seconds of every epoch without; the first also compiles.
        draws: Draws that are kept.

    Returns:
        Means over epochs; "speed_up" is of an epoch whose features are there, "speed_up_60_epochs"
        of a run of 60 epochs with the default number of draws, computing included.
    """
    computing = sum(kept[:draws]) / draws
    reusing = sum(kept[draws:]) / len(kept[draws:])
    plain = sum(anew[1:]) / len(anew[1:])
    usual = config.TrainConfig().feature_draws
    whole = usual * computing + (60 - usual) * reusing
    return {
        "draws": draws,
        "epochs_per_second": {
            "features computed anew": round(1 / plain, 4),
            "features kept, first draws": round(1 / computing, 4),
            "features kept, then": round(1 / reusing, 4),
        },
        "speed_up": round(plain / reusing, 1),
        "speed_up_60_epochs": round(60 * plain / whole, 1),
    }


def table(content: dict) -> str:
    """Returns the result as a person reads it."""
    lines = [f"{content['training_discs']} training discs, preset {content['preset']}:"]
    lines += [f"  {name:28}{v:10.4f} epochs/s" for name, v in content["epochs_per_second"].items()]
    usual = config.TrainConfig().feature_draws
    lines.append(f"  an epoch is {content['speed_up']} times as fast once features are there,")
    lines.append(f"  a run of 60 with {usual} draws {content['speed_up_60_epochs']} times.")
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run(define_flags, main)
