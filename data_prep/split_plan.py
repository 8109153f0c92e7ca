"""Which family trains, validates and tests: planned from headers, and what pixels leave of it.

Families are split before any pixel is read. What is rejected later leaves its split as it was, but
the parts of the training subjects are cut again from those that are left, so that a part of two
subjects has two.
"""

import collections
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data_prep import scan_request
from data_prep import settings as settings_lib
from spine_tf.data import splits

_Requests = Sequence[scan_request.ScanRequest]


def whole(
    requests: _Requests,
    settings: settings_lib.Settings,
    protocols: Mapping[str, Mapping[str, str]],
) -> dict:
    """Returns the content of splits.json without parts.

    Args:
        requests: The scans.
        settings: How the data set is made.
        protocols: Protocol -> family key -> split, in place of or besides those of
            `splits.make_splits`.

    Raises:
        ValueError: If a protocol names a family or a split that there is not.
    """
    families = splits.families_of((r.family_key, r.subject_key, r.visit) for r in requests)
    made = splits.make_splits(
        families,
        seed=settings.split_seed,
        held_out_fraction=settings.held_out_fraction,
        num_folds=settings.folds,
    )
    keys = {family.key for family in families}
    for name, split_of in protocols.items():
        for what, found, allowed in (
            ("families of the scans", set(split_of) - keys, "their keys"),
            ("splits", set(split_of.values()) - set(splits.SPLITS), ", ".join(splits.SPLITS)),
        ):
            if found:
                raise ValueError(
                    f"`protocols` must hold {what} ({allowed}), got {min(found)!r} in {name!r}."
                )
        made["protocols"][name] = dict(split_of)
    return made


def with_parts(made: Mapping, requests: _Requests, settings: settings_lib.Settings) -> dict:
    """Returns splits.json with the protocols that train on a part of the subjects.

    Args:
        made: From `whole`.
        requests: The scans to count; families without one are in no part's training.
        settings: How the data set is made.

    Raises:
        ValueError: If a protocol has not so many training subjects.
    """
    parts: dict[str, dict[str, str]] = {}
    for one in _each_part(made, requests, settings):
        parts |= splits.parts(**one)
    return {**made, "protocols": {**made["protocols"], **parts}}


def with_parts_left(made: Mapping, requests: _Requests, settings: settings_lib.Settings) -> dict:
    """Returns the same; a part that the scans do not suffice for is left out.

    Args:
        made: From `whole`.
        requests: The scans that have records.
        settings: How the data set is made.
    """
    parts: dict[str, dict[str, str]] = {}
    for one in _each_part(made, requests, settings):
        with contextlib.suppress(ValueError):  # `lost` tells
            parts |= splits.parts(**one)
    return {**made, "protocols": {**made["protocols"], **parts}}


def _each_part(made, requests, settings: settings_lib.Settings) -> Iterator[dict[str, Any]]:
    """What `splits.parts` takes, for each protocol and part by itself."""
    members = collections.defaultdict(set)
    for request in requests:
        members[request.family_key].add(request.subject_key)
    num_subjects = {key: len(subjects) for key, subjects in members.items()}
    percents = [{"percents": (percent,)} for percent in settings.train_percents]
    counts = [{"counts": (count,)} for count in settings.train_subjects]
    for name, split_of in made["protocols"].items():
        there = {k: split for k, split in split_of.items() if split != "train" or k in members}
        for part in percents + counts:
            base = {"protocols": {name: there}, "num_subjects": num_subjects}
            yield {**base, "seed": settings.split_seed, **part}


def planned(made: Mapping) -> list[str]:
    """Returns a line for each protocol: its families by split."""
    lines = []
    for name, split_of in made["protocols"].items():
        counts = collections.Counter(split_of.values())
        told = ", ".join(f"{counts[split]} {split}" for split in splits.SPLITS if counts[split])
        lines.append(f"protocol {name}, families: {told or 'none'}")
    return lines


def lost(
    made: Mapping, after: Mapping, requests: _Requests, settings: settings_lib.Settings
) -> list[str]:
    """Returns a line for each protocol that rejected scans make smaller or leave out.

    Args:
        made: From `whole`, of all scans.
        after: From `with_parts_left`.
        requests: The scans that have records.
        settings: How the data set is made.
    """
    left, lines = {request.family_key for request in requests}, []
    for name, split_of in made["protocols"].items():
        asked = collections.Counter(split_of.values())
        counts = collections.Counter(split for key, split in split_of.items() if key in left)
        if counts != asked:
            told = [f"{counts[s]} of {asked[s]} {s}" for s in splits.SPLITS if asked[s]]
            lines.append(f"protocol {name}, families left: {', '.join(told)}")
    for name in filter(splits.holds_all, made["protocols"]):
        parts = [splits.percent_name(name, percent) for percent in settings.train_percents]
        parts += [splits.subjects_name(name, count) for count in settings.train_subjects]
        lines += [
            f"protocol {part} is left out: too few of its training subjects are left"
            for part in parts
            if part not in after["protocols"]
        ]
    return lines
