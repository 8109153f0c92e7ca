"""Which families a model has seen, so that none of them is later taken for unseen.

    MODEL_DIR/families.json   {"train": [...], "validation": [...], "keys": [...]}

holds the families that the model, and the models whose encoder it took over, were trained and
validated on: the first 16 hexadecimal digits of the SHA-256 of each pseudonym. Pseudonyms of two
data sets can only be compared if both were converted with one key, so `keys` holds the ids of the
keys of the pseudonyms. Of phantoms, who are no persons, there is none.

Source: methods 1.1, cross-stage rule, and P1.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping

from spine_tf import files
from spine_tf.data import records, splits
from spine_tf.training import model_folder

FAMILIES = "families.json"
FORMAT = "spine_tf families/1"
SEEN = ("train", "validation")
KEYS = "keys"


def hashed(families: Iterable[str]) -> set[str]:
    """Returns what stands for pseudonyms of families in families.json."""
    return {hashlib.sha256(family.encode()).hexdigest()[:16] for family in families}


def seen(model_dir: str) -> dict[str, set[str]] | None:
    """Returns split -> hashed families that a model has seen; None if it does not say.

    Raises:
        ValueError: If the file is not what it should be.
    """
    content = _read(model_dir)
    return content and {split: set(content[split]) for split in SEEN}


def _read(model_dir: str) -> dict | None:
    path = os.path.join(model_dir, FAMILIES)
    return files.read_json(path, FORMAT) if os.path.exists(path) else None


def key_ids(data: records.DataFolder) -> list[str]:
    """Returns the id of the key of a data set's pseudonyms; none if they stand for no persons."""
    return [data.manifest["key_id"]] if "key_id" in data.manifest else []


def save(
    model_dir: str,
    init_from: str,
    families: Mapping[str, Iterable[str]],
    keys: Iterable[str] = (),
) -> None:
    """Notes the families of a run and of the models it builds on.

    Args:
        model_dir: The model folder.
        init_from: Model folder whose encoder is taken, or "".
        families: Split -> pseudonyms that the run itself trains or validates on.
        keys: Ids of the keys that these pseudonyms were made with.
    """
    before = (_read(init_from) if init_from else None) or {}
    known = {split: hashed(families[split]) for split in SEEN} | {KEYS: set(keys)}
    content = {name: sorted(found | set(before.get(name, ()))) for name, found in known.items()}
    files.write_json(os.path.join(model_dir, FAMILIES), {"format": FORMAT} | content)


def check_run(data: records.DataFolder, protocol: str, init_from: str) -> list[str]:
    """Checks all that a run could see of what it, or a later stage, holds out.

    Args:
        data: The data set.
        protocol: Protocol of the run.
        init_from: Model folder whose encoder is taken, or "".

    Returns:
        What could not be checked.

    Raises:
        FileNotFoundError: See `check`.
        ValueError: See `check` and `check_stages`.
    """
    check_stages(data, protocol)
    return check(init_from, data, protocol) if init_from else []


def check(init_from: str, data: records.DataFolder, protocol: str) -> list[str]:
    """Checks that nothing held out in a protocol was seen by the model whose encoder is taken.

    A family that both validate on is allowed where the two runs share a protocol, a fold say, or
    one takes a part of its training subjects: the test split stays unseen.

    Args:
        init_from: Model folder.
        data: The data set.
        protocol: Protocol of the run that takes the encoder.

    Returns:
        What could not be checked.

    Raises:
        FileNotFoundError: If `init_from` is no model folder.
        ValueError: If a family of the validation or test split was seen, or the pseudonyms of
            patients were made with another key, so that nobody can tell.
    """
    before = model_folder.load(init_from).protocol
    is_same_protocol = splits.whole_name(before) == splits.whole_name(protocol)
    found = seen(init_from)
    if found is None:
        return [f"{init_from}: has no {FAMILIES}, so its families could not be checked."]
    _check_keys(init_from, data)
    held_out = data.families(protocol)
    counts = {}
    for split in ("validation", "test"):
        mine = hashed(family for family, name in held_out.items() if name == split)
        known = found["train"]
        if split == "test" or not is_same_protocol:
            known = known | found["validation"]
        counts[split] = len(mine & known)
    if any(counts.values()):
        raise ValueError(
            f"`init_from` must not have seen families of the validation or test split of"
            f" {protocol!r}, got {counts['validation']} of validation and {counts['test']} of test"
            f" that {init_from} was trained or validated on. Train it on a protocol that leaves"
            " them out (longitudinal for grading, or the same --fold), or choose another"
            " --protocol."
        )
    return []


def check_unseen(model_dir: str, data: records.DataFolder, families: Iterable[str]) -> list[str]:
    """Checks that a model has seen none of the families it is to be tested on.

    Args:
        model_dir: The model folder.
        data: Another data set than the one it was trained on.
        families: Pseudonyms of those that are tested.

    Returns:
        What could not be checked.

    Raises:
        ValueError: If one was seen.
    """
    content = _read(model_dir)
    if content is None:
        return [f"the model has no {FAMILIES}, so nobody can tell whether it has seen them"]
    wanted = hashed(families)
    both = {split: len(wanted & set(content[split])) for split in SEEN}
    if any(both.values()):
        raise ValueError(
            f"{data.path}: `data_dir` must hold no family that the model has seen, got"
            f" {both['train']} that {model_dir} was trained on and {both['validation']} that it was"
            " validated on. Leave them out of the data set; of the data of the training evaluate"
            " the test split, without --other_data."
        )
    if _other_keys(content, data):
        return [
            "pseudonyms of the training data were made with another key, so nobody can tell"
            " whether it has seen them"
        ]
    return []


def check_stages(data: records.DataFolder, protocol: str) -> None:
    """Checks that the longitudinal stage sees nothing that grading holds out.

    Args:
        data: The data set.
        protocol: The protocol that is trained on; only the longitudinal one is checked, because
            folds are the same in both stages.

    Raises:
        ValueError: If a family of the validation or test split of grading is trained or validated
            on.
    """
    if splits.whole_name(protocol) != splits.LONGITUDINAL:
        return
    seen_here = {name for name, split in data.families(protocol).items() if split in SEEN}
    for other in data.protocols:
        if not other.startswith(splits.GRADING):
            continue
        held_out = data.families(other)
        counts = [
            sum(held_out.get(family) == split for family in seen_here)
            for split in ("validation", "test")
        ]
        if any(counts):
            raise ValueError(
                f"{os.path.join(data.path, records.SPLITS)}: `{protocol}` must not train or"
                f" validate on families that `{other}` holds out, got {counts[0]} of its validation"
                f" and {counts[1]} of its test. Take them out of `{protocol}`, or convert again."
            )


def _check_keys(init_from: str, data: records.DataFolder) -> None:
    """Raises ValueError if patients of two data sets have pseudonyms of different keys."""
    content = _read(init_from) or {}
    if _other_keys(content, data):
        raise ValueError(
            f"{data.path}: `key_id` must be the one of the data that {init_from} was trained on"
            f" ({', '.join(content[KEYS])}), got {key_ids(data)[0]}: pseudonyms made with different"
            " keys cannot be compared, so a patient could stand on both sides. Convert again with"
            f" the --key_file of that data; or, if they share no patient, empty `{KEYS}` in its"
            f" {FAMILIES}."
        )


def _other_keys(content: Mapping, data: records.DataFolder) -> bool:
    """Whether a model has seen patients whose pseudonyms have another key than those of `data`."""
    mine = key_ids(data)
    return bool(mine and set(content.get(KEYS, ())) - set(mine))
