"""Whether an evaluated pretext was learned: as part of the results, and as a line of text."""

from collections.abc import Mapping
from typing import Any

from spine_tf.tasks import task
from spine_tf.training import pretext_mark

_WORDS = {
    True: "pretext learned",
    False: pretext_mark.MARK,
    None: "whether the pretext was learned cannot be told",
}


def verdict(
    made: task.Task, measures: Mapping[str, Mapping[str, Any]], num_asked: int | None = None
) -> dict[str, Any]:
    """Returns the verdict on a pretext by its rule, see `pretext_mark.rule`.

    Args:
        made: The task.
        measures: Name -> `bootstrap.interval`.
        num_asked: See `pretext_mark.rule`.

    Returns:
        "rule": measure, limit and whether the value must be at_most or at_least that;
        "pretext_learned": true, false, or None where there is no value.

    Raises:
        ValueError: If the task has no rule.
    """
    rule = pretext_mark.rule(made, num_asked)
    if rule is None:
        raise ValueError(f"`made` must be a pretext with a rule, got {type(made).__name__}.")
    return {
        "rule": {
            "measure": rule.measure,
            "must_be": "at most" if rule.is_error else "at least",
            "limit": rule.limit,
        },
        "pretext_learned": rule.holds(measures[rule.measure]["value"]),
    }


def line(results: Mapping[str, Any]) -> str:
    """Returns the verdict in words, with the rule."""
    rule = results["rule"]
    words = f"{rule['measure']} {rule['must_be']} {rule['limit']:g}"
    return f"{_WORDS[results['pretext_learned']]} (rule: {words})"
