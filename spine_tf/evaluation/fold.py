"""A trained model and the records it is evaluated on, checked so that nothing leaks."""

import dataclasses
import os
import re
from typing import Any

from spine_tf import files, tasks
from spine_tf.data import records, slice_schema
from spine_tf.evaluation import options as options_lib
from spine_tf.training import leakage, model_folder


@dataclasses.dataclass(frozen=True)
class Fold:
    """One model and its records.

    Attributes:
        folder: The model folder.
        test: The records that are evaluated.
        train: The records it was trained on; None if the data set is another one.
        unchecked: Why nobody can tell whether the model has seen the test records' subjects, or "".
    """

    folder: model_folder.ModelFolder
    test: records.Index
    train: records.Index | None
    unchecked: str = ""

    @property
    def known_train(self) -> records.Index:
        """The records it was trained on, where they are in the data set.

        Raises:
            ValueError: If the data set is another one.
        """
        if self.train is None:
            raise ValueError("`train` must be known, got another data set than that of training.")
        return self.train


def find_folders(model_dir: str) -> list[model_folder.ModelFolder]:
    """Returns the model folder, or those of its folds in their order.

    Raises:
        FileNotFoundError: If `model_dir` holds neither.
        ValueError: If the folds are not folds of one run.
    """
    if not os.path.isfile(os.path.join(model_dir, model_folder.CONFIG)) and os.path.isdir(
        model_dir
    ):
        names = [name for name in os.listdir(model_dir) if re.fullmatch(r"fold\d+", name)]
        if names:
            names.sort(key=lambda name: int(name[len("fold") :]))
            return _checked([model_folder.load(os.path.join(model_dir, name)) for name in names])
    return [model_folder.load(model_dir)]


def _checked(folders: list[model_folder.ModelFolder]) -> list[model_folder.ModelFolder]:
    """Checks that every fold has its own protocol and all answer one question on one split."""
    protocols = [folder.protocol for folder in folders]
    if len(set(protocols)) != len(protocols):
        raise ValueError(
            f"{folders[0].path} and its siblings must each have their own protocol, got"
            f" {', '.join(protocols)}: records would be counted twice."
        )
    for what, found in (
        ("task", {tasks.name_of(folder.task) for folder in folders}),
        ("kind of record", {folder.task.test_kind for folder in folders}),
        ("set of outputs", {", ".join(sorted(folder.task.metrics())) for folder in folders}),
        ("split of families", {folder.data["splits_sha256"] for folder in folders}),
    ):
        if len(found) > 1:
            raise ValueError(
                f"{os.path.dirname(folders[0].path)}: `model_dir` folds must have one {what}, got"
                f" {' and '.join(sorted(found))}. Train all with the same --task_options and data."
            )
    return folders


def open_folds(
    model_dir: str, data_dir: str, options: options_lib.Options, *, has_flags: bool = True
) -> list[Fold]:
    """Opens models and records.

    Args:
        model_dir: A model folder, or a folder of folds (fold0, fold1, ...).
        data_dir: A data set.
        options: Which split, or all records of another data set.
        has_flags: Whether the options are flags of the command, so that errors advise them.

    Returns:
        One `Fold`, or one per fold.

    Raises:
        FileNotFoundError: If a folder is not what it should be.
        ValueError: If the data set's split is not the one the model was trained with, another data
            set holds a family that the model has seen or was converted to pixels of another size
            or window, or there is no record to evaluate.
    """
    folders = find_folders(model_dir)
    data = records.open_folder(data_dir)
    if options.other_data:
        if len(folders) > 1:
            raise ValueError(
                f"`model_dir` must be one model folder with --other_data, got {model_dir}, which"
                " holds folds. Give one of them."
            )
        _check_pixels(folders[0], data)
        test = data.index(folders[0].task.test_kind)
        notes = leakage.check_unseen(folders[0].path, data, test.column("family"))
        folder = dataclasses.replace(folders[0], task=folders[0].task.for_data(data))
        folds = [Fold(folder, test, None, "; ".join(notes))]
    else:
        if len(folders) > 1 and options.split != "test":
            raise ValueError(
                f"`split` must be test for a folder of folds, got {options.split!r}: the other"
                " splits of the folds overlap."
            )
        folds = [_open(folder, data, options.split, has_flags) for folder in folders]
        _check_complete(folders, data, model_dir)
    for fold in folds:
        if not len(fold.test):
            other = "Choose another --split, or convert" if has_flags else "Convert"
            raise ValueError(
                f"{data_dir}: holds no {fold.test.kind} record in the {options.split} split of"
                f" protocol {fold.folder.protocol!r}. {other} more subjects or with --folds."
            )
    return folds


def _check_pixels(folder: model_folder.ModelFolder, data: records.DataFolder) -> None:
    """Checks that pixels of another data set mean what they meant in the training."""
    here, there = slice_schema.channels(data.manifest["settings"]), folder.data["channels"]
    if len(here) != len(there) or (set(here) == set(there) and here != there):
        raise ValueError(
            f"{data.path}: `data_dir` must have the channels of the training in their order,"
            f" {', '.join(there)}, got {', '.join(here)}. Convert it again with --channels."
        )
    found = slice_schema.pixel_settings(data.manifest["settings"])
    wanted = folder.data["pixel_settings"]
    differing = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
    if differing:
        needed, got = (
            " ".join(f"--{name}={_flag_value(settings.get(name))}" for name in differing)
            for settings in (wanted, found)
        )
        raise ValueError(
            f"{data.path}: `data_dir` must be converted as that of the training was, {needed}, got"
            f" {got}. Convert it again; the model knows pixels of no other size or window."
        )


def _flag_value(value: Any) -> str:
    """A setting as its flag takes it; nothing where it is not given."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    return ",".join(f"{one:g}" if isinstance(one, float) else str(one) for one in values)


def _check_complete(
    folders: list[model_folder.ModelFolder], data: records.DataFolder, model_dir: str
) -> None:
    """Checks that no fold is missing among several, else records would be left out silently."""
    known = [name for name in data.protocols if re.fullmatch(r"fold\d+", name)]
    missing = sorted(set(known) - {folder.protocol for folder in folders})
    if len(folders) > 1 and missing:
        raise ValueError(
            f"`model_dir` must hold all {len(known)} folds of the data set, got {model_dir} without"
            f" {', '.join(missing)}. Train them, or give one fold."
        )


def _open(
    folder: model_folder.ModelFolder, data: records.DataFolder, split: str, has_flags: bool
) -> Fold:
    found = files.sha256(os.path.join(data.path, records.SPLITS))
    if found != folder.data["splits_sha256"]:
        other = ", or --other_data if this one holds none of its subjects" if has_flags else ""
        raise ValueError(
            f"{data.path}: `splits.json` must be the one {folder.path} was trained with (SHA-256"
            f" {folder.data['splits_sha256'][:12]}...), got {found[:12]}...: subjects that the"
            " model was trained on could be in the test split. Give the data set of the training"
            f"{other}."
        )
    kind = folder.task.test_kind
    return Fold(
        folder,
        data.index(kind, folder.protocol, split),
        data.index(kind, folder.protocol, "train"),
    )
