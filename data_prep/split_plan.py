"""Which family trains, validates and tests: planned from headers, and what pixels leave of it.

Families are split before any pixel is read. What is rejected later leaves its split as it was, but
the parts of the training subjects are cut again from those that are left, so that a part of two
subjects has two.
"""

import collections
from collections.abc import Mapping, Sequence

from data_prep import scan_request
from data_prep import settings as settings_lib
from spine_tf.data import splits

_Requests = Sequence[scan_request.ScanRequest]


def plan(
    requests: _Requests,
    settings: settings_lib.Settings,
    protocols: Mapping[str, Mapping[str, str]],
) -> dict:
    """Returns the content of splits.json.

    Args:
        requests: The scans.
        settings: How the data set is made.
        protocols: Protocol -> family key -> split, in place of or besides those of
            `splits.make_splits`.

    Raises:
        ValueError: If a protocol names a family or a split that there is not, or has fewer
            training subjects than a part of it shall have.
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
    return _with_parts(made, requests, settings)


def cut_again(made: Mapping, requests: _Requests, settings: settings_lib.Settings) -> dict:
    """Returns splits.json with parts of the training subjects that are left.

    Args:
        made: From `plan`.
        requests: The scans that have records; families without one are in no part's training. A
            part that they do not suffice for is left out.
        settings: How the data set is made.
    """
    whole = {n: split_of for n, split_of in made["protocols"].items() if _is_whole(n)}
    return _with_parts({**made, "protocols": whole}, requests, settings, leave_out=True)


def _is_whole(protocol: str) -> bool:
    return splits.whole_name(protocol) == protocol


def _with_parts(made, requests, settings: settings_lib.Settings, leave_out: bool = False) -> dict:
    """Adds the protocols that train on a part of the subjects of `requests`."""
    members = collections.defaultdict(set)
    for request in requests:
        members[request.family_key].add(request.subject_key)
    parts = splits.parts(
        made["protocols"],
        {key: len(subjects) for key, subjects in members.items()},
        seed=settings.split_seed,
        percents=settings.train_percents,
        counts=settings.train_subjects,
        leave_out=leave_out,
    )
    return {**made, "protocols": made["protocols"] | parts}


def planned(made: Mapping) -> list[str]:
    """Returns a line for each protocol: its families by split."""
    lines = []
    for name, split_of in made["protocols"].items():
        counts = collections.Counter(split_of.values())
        told = ", ".join(f"{counts[split]} {split}" for split in splits.SPLITS if counts[split])
        lines.append(f"protocol {name}, families: {told or 'none'}")
    return lines


def lost(made: Mapping, after: Mapping, requests: _Requests) -> list[str]:
    """Returns a line for each protocol that rejected scans make smaller or leave out.

    Args:
        made: From `plan`.
        after: From `cut_again`.
        requests: The scans that have records.
    """
    left, lines = {request.family_key for request in requests}, []
    for name, split_of in made["protocols"].items():
        asked = collections.Counter(split_of.values())
        counts = collections.Counter(split for key, split in split_of.items() if key in left)
        if name not in after["protocols"]:
            lines.append(f"protocol {name} is left out: too few of its training subjects are left")
        elif _is_whole(name) and counts != asked:
            told = [f"{counts[s]} of {asked[s]} {s}" for s in splits.SPLITS if asked[s]]
            lines.append(f"protocol {name}, families left: {', '.join(told)}")
    return lines
