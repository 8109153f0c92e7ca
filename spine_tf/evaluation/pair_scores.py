"""What distances of pairs are worth: areas, error rates and identification, with intervals.

It serves pairs of vertebral bodies and pairs of studies alike. Source: methods 1.9, P2, P3 and P15.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spine_tf.evaluation import bootstrap, pair_list, roc

FALSE_RATES = (1e-2, 1e-3)
_DAYS_PER_YEAR = 365.25
_QUARTILES = (0.25, 0.5, 0.75)


@dataclasses.dataclass(frozen=True)
class Scores:
    """All pairs with what they are judged by.

    Attributes:
        visits: What is compared: vertebral bodies, or studies.
        pairs: Pairs of them.
        distance: [pairs] small means the same subject.
        units: [visits] code of the subject or family, for the bootstrap.
        counts: [draws, units], see `bootstrap.draw_counts`.
    """

    visits: pair_list.Visits
    pairs: pair_list.Pairs
    distance: np.ndarray
    units: np.ndarray
    counts: np.ndarray

    def everything(self) -> np.ndarray:
        """Returns [pairs] True."""
        return np.full(len(self.pairs), True)

    def weights(self, used: np.ndarray, negative_kind: int = pair_list.NEGATIVE) -> np.ndarray:
        """Returns the weight [pairs] of the pairs `used`, see `matched_weights`."""
        return pair_list.matched_weights(self.pairs, used, negative_kind)

    def sample(self, weight: np.ndarray) -> roc.Sample:
        """Returns the pairs that have a weight, [pairs]."""
        keep = weight > 0
        units = [self.units[side[keep]] for side in (self.pairs.first, self.pairs.second)]
        is_positive = self.pairs.kind[keep] == pair_list.POSITIVE
        return roc.Sample(is_positive, self.distance[keep], weight[keep], np.stack(units, 1))

    def with_data(self) -> np.ndarray:
        """Returns the counts of the draws below those of the data as they are."""
        return np.concatenate([np.ones((1, self.counts.shape[1])), self.counts])


# === Areas and error rates ===


def measure(
    scores: Scores, used: np.ndarray, negative_kind: int = pair_list.NEGATIVE
) -> tuple[dict[str, Any], np.ndarray]:
    """Measures the pairs that are used.

    Args:
        scores: All pairs.
        used: [pairs] bool.
        negative_kind: NEGATIVE or TWIN.

    Returns:
        The area with its interval and counts, "equal_error_rate" and "true_positive_rate" by
        false positive rate, ready for JSON; and the [draws] of the area.
    """
    weight = scores.weights(used, negative_kind)
    sample = scores.sample(weight)
    found = roc.measures(sample, scores.with_data(), FALSE_RATES)
    reason = _missing(scores.pairs, used, negative_kind)
    own = scores.pairs.first[(weight > 0) & (scores.pairs.kind == pair_list.POSITIVE)]
    if len(np.unique(scores.units[own])) < 2:
        # The pairs of a single subject say nothing of others, however often they are drawn.
        found = {name: np.where(np.arange(len(d)), np.nan, d) for name, d in found.items()}
    made = {name: bootstrap.interval(drawn[0], drawn[1:], reason) for name, drawn in found.items()}
    positives = int(sample.is_positive.sum())
    negatives = len(sample.is_positive) - positives
    at = {}
    for rate in FALSE_RATES:
        short = too_few(negatives, rate, "negatives") if made["auc"]["value"] is not None else ""
        at[f"{rate:g}"] = bootstrap.interval(np.nan, np.empty(0), short) if short else made[rate]
    counts = {
        "positives": positives,
        "negatives": negatives,
        "subjects": len(set(scores.visits.subject[own].tolist())),
    }
    rates = {"equal_error_rate": made["equal_error_rate"], "true_positive_rate": at}
    return made["auc"] | counts | rates, found["auc"][1:]


def too_few(number: int, rate: float, what: str) -> str:
    """Returns why a rate cannot be told from so few pairs, or "" if it can."""
    needed = round(1 / rate)
    return "" if number >= needed else f"needs at least {needed} {what}, there are {number}"


def _missing(pairs: pair_list.Pairs, used: np.ndarray, negative_kind: int) -> str:
    what = "pair of twins" if negative_kind == pair_list.TWIN else "pair of two subjects"
    if not np.any(used & (pairs.kind == pair_list.POSITIVE)):
        return "there is no pair of one subject at two visits"
    return f"there is no {what} of the same level and field strengths"


def summary(scores: Scores) -> dict[str, Any]:
    """Returns what is reported of bodies and of studies alike."""
    auc = measure(scores, scores.everything())[0]
    rates = {name: auc.pop(name) for name in ("equal_error_rate", "true_positive_rate")}
    return (
        {"auc": auc}
        | rates
        | {
            "rank_one": rank_one(scores),
            "twin_auc": measure(scores, scores.everything(), pair_list.TWIN)[0],
            "same_scanner_auc": _same_scanner(scores),
            "per_interval_years": _per_interval(scores),
            "per_field_strengths_t": _per_field_strengths(scores),
        }
    )


def per_level(scores: Scores) -> dict[str, Any]:
    """Returns "per_level" and "mean_level_auc"."""
    level_of = scores.visits.level[scores.pairs.first]
    areas = {
        name: measure(scores, level_of == name)
        for name in scores.visits.level_names()
        if np.any(level_of == name)
    }
    return {
        "per_level": {name: area for name, (area, _) in areas.items()},
        "mean_level_auc": _mean_area(list(areas.values())),
    }


def _mean_area(areas: Sequence[tuple[Mapping[str, Any], np.ndarray]]) -> dict[str, Any]:
    """Mean over the levels that have an area, in every draw over those it has."""
    areas = [(area, drawn) for area, drawn in areas if area["value"] is not None]
    if not areas:
        return bootstrap.interval(np.nan, np.empty(0), "no level has an area")
    drawn = np.stack([drawn for _, drawn in areas])
    has_any = np.isfinite(drawn).any(0)
    mean = np.nanmean(drawn[:, has_any], 0)
    return bootstrap.interval(float(np.mean([area["value"] for area, _ in areas])), mean)


# === Parts ===


def _fields(scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    field_t = scores.visits.field_strength_t
    return field_t[scores.pairs.first], field_t[scores.pairs.second]


def field_name(field_t: float) -> str:
    """Returns "1.5", or "unknown" for 0."""
    return f"{field_t:g}" if field_t else "unknown"


def _per_field_strengths(scores: Scores) -> dict[str, Any]:
    one, two = _fields(scores)
    return {
        f"{field_name(low)} to {field_name(high)}": measure(scores, (one == low) & (two == high))[0]
        for low, high in sorted(set(zip(one.tolist(), two.tolist(), strict=True)))
    }


def _same_scanner(scores: Scores) -> dict[str, Any]:
    """The area of the pairs, of one subject or two, whose visits were at one field strength."""
    one, two = _fields(scores)
    found = measure(scores, (one == two) & (one > 0))[0]
    if "reason" in found and not np.any((one == two) & (one > 0)):
        found["reason"] = "no subject was scanned twice at one known field strength"
    return found


def interval_edges(years: np.ndarray) -> list[int]:
    """Returns edges of bins of intervals between visits, in whole years.

    Args:
        years: [n] intervals, at least one.

    Returns:
        Ascending; they enclose all, and the inner ones are the quartiles. No bin is empty.
    """
    low, high = int(np.floor(years.min())), int(np.floor(years.max())) + 1
    inner = np.round(np.quantile(years, _QUARTILES)).astype(int).tolist()
    edges = [low]
    for edge in sorted({*inner, high}):
        if np.any((years >= edges[-1]) & (years < edge)) and np.any(years >= edge):
            edges.append(edge)
    return [*edges, high]


def _per_interval(scores: Scores) -> dict[str, Any]:
    """The area of the positives of each interval, against all negatives that match them."""
    pairs, days = scores.pairs, scores.visits.days
    years = (days[pairs.second] - days[pairs.first]) / _DAYS_PER_YEAR
    positive = pairs.kind == pair_list.POSITIVE
    if not positive.any():
        return {}
    results = {}
    for low, high in itertools.pairwise(interval_edges(years[positive])):
        inside = positive & (years >= low) & (years < high)
        results[f"{low}-{high}"] = measure(scores, inside | ~positive)[0]
    return results


# === Identification ===


def rank_one(scores: Scores) -> dict[str, Any]:
    """Returns how often the nearest earlier body is the subject's own.

    Every positive pair asks: is its earlier body nearer to the later one than the earlier bodies of
    all other families, of the same level and field strengths? A tie is a miss. The bootstrap draws
    the subjects that ask; those they are told from stay, because a draw has fewer of them.
    """
    pairs = scores.pairs
    key = pairs.stratum * max(1, len(scores.visits.subject)) + pairs.second
    unique, key = np.unique(key, return_inverse=True)
    others = pairs.kind == pair_list.NEGATIVE
    nearest, number = np.full(len(unique), np.inf), np.zeros(len(unique), int)
    np.minimum.at(nearest, key[others], scores.distance[others])
    np.add.at(number, key[others], 1)
    asks = (pairs.kind == pair_list.POSITIVE) & (number[key] > 0)
    hit = scores.distance[asks] < nearest[key[asks]]
    reason = _missing(pairs, scores.everything(), pair_list.NEGATIVE)
    found = bootstrap.share(hit, scores.units[pairs.second[asks]], scores.counts, reason)
    if not asks.any():
        return found
    others_of = number[key[asks]]
    return found | {
        "queries": int(asks.sum()),
        "median_others": float(np.median(others_of)),
        "chance": round(float(np.mean(1 / (1 + others_of))), 6),
    }
