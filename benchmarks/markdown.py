"""Tables of results in Markdown."""

from collections.abc import Iterable, Mapping, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Returns the lines of a table; a cell is what `str` says of it.

    Raises:
        ValueError: If a row has another number of cells than the header.
    """
    lines = [_line(header), _line(["---"] * len(header))]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"`rows` must have {len(header)} cells each, got {row!r}.")
        lines.append(_line(row))
    return lines


def _line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def not_run(jobs: Sequence[Mapping[str, str]]) -> list[str]:
    """Returns the lines of a list of jobs that were not run, after a blank line; none of none.

    Args:
        jobs: `name` and `reason` of each.
    """
    if not jobs:
        return []
    return ["", "Not run:", "", *(f"- {one['name']}: {one['reason']}" for one in jobs)]
