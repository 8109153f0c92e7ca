"""qc/index.html: a data set at a glance, and the pictures of its scans, what is unusual first.

It is made from the index of the records, so it holds pseudonyms and no path, UID or date.
"""

import base64
import collections
import dataclasses
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from data_prep import accounts, page_template, qc, rejection
from spine_tf import files, gradings, levels
from spine_tf.data import records, schema

QC, INDEX = "qc", "index.html"
_MOST_SHEETS = 60  # a third of a megabyte each
_UNUSUAL = 4.0  # robust standard deviations from the median of the data set
_MILD = 1.0  # of a scan that ends before S1 or begins below T12, as many do
_LEAST_SPREAD = 0.05  # of the median: what differs by less is not unusual
_UNITS = {"slice distance": " mm", "pixel height": " mm", "pixel width": " mm"}
_UNITS |= {"width of bodies and discs": " mm"}
_INTENSITY = "intensity before normalisation"
# A path may hold blanks, so all that follows one goes too; reasons name files in parentheses.
_MASKED = re.compile(r"\S*[/\\].*|\b\d+(?:\.\d+){2,}\b|'[^']*'")


@dataclasses.dataclass(frozen=True)
class Scan:
    """What the index tells of one scan.

    Attributes:
        key: Its pseudonym.
        subject: Pseudonym of its subject.
        days: Since the subject's first study.
        field_strength_t: 0 is unknown.
        measures: Name -> value, by which an unusual scan is found.
        names: Vertebrae and discs that were cut out.
    """

    key: str
    subject: str
    days: int
    field_strength_t: float
    measures: Mapping[str, float]
    names: frozenset[str]


def scans(rows: Iterable[Mapping[str, Any]]) -> list[Scan]:
    """Returns the scans of the rows of an index, by key; rows of slices tell of none."""
    by_scan = collections.defaultdict(list)
    for row in rows:
        for visit, key in enumerate(row["scan"] if "width_mm" in row else ()):
            by_scan[key].append((row, visit))
    return [_scan(key, by_scan[key]) for key in sorted(by_scan)]


def _scan(key: str, found: Sequence[tuple[Mapping[str, Any], int]]) -> Scan:
    row, visit = found[0]
    slice_mm, row_mm, column_mm = row["spacing_mm"][3 * visit : 3 * visit + 3]
    widths_mm = [r["width_mm"][v] for r, v in found]
    measures = {
        _INTENSITY: float(np.median([r["median"][v] for r, v in found])),
        "slice distance": slice_mm,
        "pixel height": row_mm,
        "pixel width": column_mm,
        "width of bodies and discs": float(np.median(widths_mm)),
        "widest over narrowest": max(widths_mm) / max(min(widths_mm), 1e-6),
    }
    names = frozenset(r["level"] for r, _ in found)
    strength = row["field_strength_t"][visit]
    return Scan(key, row["subject"], row["days"][visit], strength, measures, names)


def unusual(found: Sequence[Scan]) -> dict[str, dict[str, float]]:
    """Returns scan -> what is unusual of it -> by how many robust standard deviations.

    A level that is missing between two others counts as unusual, too; T12 or S1 alone a little.
    """
    odd = {scan.key: {} for scan in found}
    for name in found[0].measures if found else ():
        values = np.array([scan.measures[name] for scan in found])
        middle = float(np.median(values))
        spread = max(1.4826 * float(np.median(np.abs(values - middle))), _LEAST_SPREAD * middle)
        for scan, value in zip(found, values, strict=True):
            deviation = abs(value - middle) / max(spread, 1e-9)
            if deviation > _UNUSUAL:
                unit = _UNITS.get(name, "")
                told = f"{name} {value:.3g}{unit}, most others near {middle:.3g}{unit}"
                odd[scan.key][told] = float(deviation)
    for scan in found:
        for name in _gaps(scan.names):
            odd[scan.key][f"{name} is missing"] = _UNUSUAL
        odd[scan.key] |= {f"no {name}": _MILD for name in _missing_ends(scan.names)}
    return odd


def _missing_ends(names: Iterable[str]) -> list[str]:
    """T12 or S1, if that is not there and other vertebrae are."""
    known = [level.value for level in levels.LUMBAR_VERTEBRAE]
    ends = (known[0], known[-1]) if set(known) & set(names) else ()
    return [name for name in ends if name not in names]


def _gaps(names: Iterable[str]) -> list[str]:
    """Vertebrae or discs between others that are there."""
    gaps = []
    for known in (levels.LUMBAR_VERTEBRAE, levels.LUMBAR_DISCS):
        there = [level.value in names for level in known]
        if any(there):
            last = len(there) - there[::-1].index(True)
            inner = range(there.index(True), last)
            gaps += [known[i].value for i in inner if not there[i]]
    return gaps


def reason_kind(reason: str) -> str:
    """Returns what rejections of one kind share: no path, UID, quoted value or count."""
    start = re.split(r"[;(]|: ", _MASKED.sub("…", reason.removeprefix("quarantined: ")))[0]
    return re.sub(r"\d+(?:\.\d+)?", "N", start).strip()


def _bars(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    most = max(counts.values(), default=1)
    return [{"label": k, "count": n, "share": n / most} for k, n in counts.items()]


def _histogram(values: Iterable[float], unit: str, step: float) -> dict[str, int]:
    counts = collections.Counter(int(value // step) for value in values)
    return {f"{i * step:g} to {(i + 1) * step:g} {unit}": counts[i] for i in sorted(counts)}


def _tesla(strength: float) -> str:
    return f"{strength:g} T" if strength else "unknown"


def grade_table(rows: Iterable[Mapping[str, Any]]) -> list[list[str | int]]:
    """Returns how many discs have which grade, a line per grading and grade.

    Args:
        rows: Of the index of discs.

    Returns:
        Lines of title, grade and the counts of all discs and of those of `levels.LUMBAR_DISCS`;
        none of a grading that no disc has.
    """
    counts = collections.Counter()
    for row in rows:
        for name, grade in row.get("grades", {}).items():
            counts[name, grade, row["level"]] += 1
    there = {name for name, _, _ in counts}
    lines: list[list[str | int]] = []
    for name in (name for name in gradings.GRADINGS if name in there):
        grading = gradings.from_name(name)
        for grade in grading.grades:
            found = {k[2]: n for k, n in counts.items() if k[:2] == (name, grade)}
            by_level = [found.get(disc.value, 0) for disc in levels.LUMBAR_DISCS]
            lines.append([grading.title, grade, sum(found.values()), *by_level])
    return lines


def _plots(found: Sequence[Scan], rejections, not_needed: Mapping[str, int]) -> list[dict]:
    by_subject = collections.Counter(scan.subject for scan in found)
    visits = collections.Counter(by_subject.values())
    years = [scan.days / 365.25 for scan in found if scan.days > 0]
    strengths = collections.Counter(scan.field_strength_t for scan in found)
    reasons = collections.Counter(reason_kind(item.reason) for item in rejections)
    order = (*levels.VertebraLevel, *levels.DiscLevel)
    cut_out = {level.value: sum(level.value in s.names for s in found) for level in order}
    unused = collections.Counter()
    for what, count in not_needed.items():
        unused[_MASKED.sub("…", what)] += count
    plots = [
        ("Visits of a subject", {f"{n}": visits[n] for n in sorted(visits)}),
        ("Time since a subject's first visit", _histogram(years, "years", 1)),
        ("Scanners: field strength", {_tesla(t): strengths[t] for t in sorted(strengths)}),
        ("Slice distance", _histogram((s.measures["slice distance"] for s in found), "mm", 0.5)),
        ("Pixel height", _histogram((s.measures["pixel height"] for s in found), "mm", 0.1)),
        ("Levels", {name: count for name, count in cut_out.items() if count}),
    ]
    wide = [
        ("Rejected", dict(reasons.most_common())),
        ("Not needed", dict(unused.most_common())),
    ]
    shown = [(title, counts, False) for title, counts in plots]
    shown += [(title, counts, True) for title, counts in wide]
    return [
        {"title": title, "bars": _bars(counts), "is_wide": is_wide}
        for title, counts, is_wide in shown
        if counts
    ]


def write(
    output_dir: str,
    kinds: Iterable[str],
    rejections: Sequence[rejection.Rejection] = (),
    not_needed: Mapping[str, int] | None = None,
) -> None:
    """Writes qc/index.html of a data set; it needs no other file.

    Args:
        output_dir: Folder of the data set, with its index and its pictures.
        kinds: The kinds of records in it.
        rejections: What was rejected; only what kinds of reasons and how many are shown.
        not_needed: What was not needed -> count.
    """
    kinds = tuple(kinds)
    found = scans(row for kind in kinds for row in _rows(output_dir, kind))
    discs = _rows(output_dir, schema.DISC) if schema.DISC in kinds else []
    odd = unusual(found)
    first = sorted(odd, key=lambda key: (-sum(odd[key].values()), key))
    pictures = [key for key in first if os.path.exists(_picture(output_dir, key, qc.CROPS))]
    subjects = len({scan.subject for scan in found})
    told = f"{rejection.counted(len(found), 'scan')} of {rejection.counted(subjects, 'subject')};"
    told += f" {rejection.counted(len(rejections), 'rejection')}."
    counts = accounts.read_counts(output_dir)
    page = page_template.load(__file__, "qc.html").render(
        summary=f"{told} {counts}." if counts else told,
        plots=_plots(found, rejections, not_needed or {}),
        discs=[disc.value for disc in levels.LUMBAR_DISCS] if discs else [],
        grades=grade_table(discs),
        sheets=[_sheet(output_dir, key, odd[key]) for key in pictures[:_MOST_SHEETS]],
        num_left_out=len(pictures[_MOST_SHEETS:]),
    )
    with files.atomic_write(os.path.join(output_dir, QC, INDEX)) as file:
        file.write(page)


def _rows(output_dir: str, kind: str) -> list[dict[str, Any]]:
    with open(os.path.join(output_dir, records.index_name(kind)), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _picture(output_dir: str, key: str, ending: str) -> str:
    return os.path.join(output_dir, QC, f"{key}{ending}")


def _sheet(output_dir: str, key: str, reasons: Mapping[str, float]) -> dict[str, str]:
    """What the page shows of a scan; pictures as Base64, or "" where there is none."""
    found = {"scan": key}
    found["reasons"] = "; ".join(name for name, weight in reasons.items() if weight > _MILD)
    found["ends"] = "; ".join(name for name, weight in reasons.items() if weight <= _MILD)
    for name, ending in (("crops", qc.CROPS), ("outlines", qc.OUTLINES)):
        path, found[name] = _picture(output_dir, key, ending), ""
        found[f"{name}_file"] = os.path.basename(path)
        if os.path.exists(path):
            with open(path, "rb") as file:
                found[name] = base64.b64encode(file.read()).decode()
    return found
