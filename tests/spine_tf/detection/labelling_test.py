import dataclasses
import pathlib

import numpy as np
import pytest

from spine_tf import vertebrae
from spine_tf.detection import candidates, label_parameters, labelling
from tests.spine_tf.detection import columns

_NAMES = "T12 L1 L2 L3 L4 L5 S1".split()
_DATA = pathlib.Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="module")
def parameters():
    return label_parameters.load()


def _label(found, parameters, **values):
    return labelling.label(found, parameters=parameters, **values)


def _column(index=0, names=_NAMES, share=0.8, **values):
    return columns.found(columns.quads(index), names, share=share, **values)


@pytest.mark.parametrize("index", range(4))
def test_an_ordinary_column(parameters, index):
    column = columns.quads(index)
    found = columns.found(column, _NAMES, share=0.8)
    solved = _label(found, parameters, discs=columns.discs(column, _NAMES[:-1]))
    assert solved.names == tuple(_NAMES)
    assert (solved.status, solved.reason) == ("answered", "")
    assert solved.probabilities.min() > 0.6 and solved.given_number.min() > 0.9
    np.testing.assert_allclose(solved.marginals.sum(axis=1), 1)
    assert solved.lumbar_probability.sum() == pytest.approx(1)


def test_the_order_of_candidates_does_not_matter(parameters):
    found = _column(1)
    one, other = _label(found, parameters), _label(found[::-1], parameters)
    assert one.names == other.names[::-1]
    np.testing.assert_allclose(one.marginals, other.marginals[::-1])


@pytest.mark.parametrize("scale, shift_mm", [(1.0, 20.0), (1.0, -500.0), (1.25, 0.0), (0.8, 40.0)])
def test_moving_and_scaling_change_nothing(parameters, scale, shift_mm):
    found = _column(2)
    moved = [dataclasses.replace(c, corners_mm=c.corners_mm * scale + shift_mm) for c in found]
    one, other = _label(found, parameters), _label(moved, parameters)
    assert one.names == other.names and one.status == other.status
    np.testing.assert_allclose(one.marginals, other.marginals, atol=1e-9)


@pytest.mark.parametrize("seed", range(25))
def test_names_run_from_head_to_foot_and_none_is_there_twice(parameters, seed):
    rng = np.random.default_rng(seed)
    column = columns.quads(seed % 20)
    found = []
    for name in column:
        quad = column[name] + rng.normal(0, 3, (4, 3))
        opinion = columns.opinion(str(rng.choice(candidates.LEVELS)), 0.9)
        if rng.random() > 0.2:
            found.append(candidates.Candidate(quad, (0, 1), float(rng.random()), opinion))
        if rng.random() < 0.2:
            found.append(candidates.Candidate(quad + 9, (0, 1), float(rng.random()), opinion))
    solved = _label(found, parameters)
    named = [
        (-candidate.center_mm[2], candidates.LEVELS.index(name))
        for candidate, name in zip(found, solved.names, strict=True)
        if name
    ]
    places = [place for _, place in sorted(named)]
    assert places == sorted(set(places))


def test_a_false_candidate_is_named_nothing(parameters):
    found = _column(0)
    false = candidates.Candidate(found[3].corners_mm * 0.5 + 9, (0, 0), 0.2, columns.FLAT)
    solved = _label([*found, false], parameters)
    assert solved.names == (*_NAMES, None)


def test_a_missed_body_leaves_a_gap(parameters):
    names = [name for name in _NAMES if name != "L3"]
    assert _label(_column(0, names), parameters).names == tuple(names)


def test_s2_is_named_but_not_annotated(parameters):
    found = _column(0, [*_NAMES, "S2"])
    solved = _label(found, parameters)
    assert solved.names == (*_NAMES, "S2")
    annotation = labelling.annotate(found, solved, "1.2.3", "a test")
    assert [v.level.value for v in annotation.vertebrae] == _NAMES
    assert annotation.status == "answered" and annotation.series_instance_uid == "1.2.3"
    assert all(0.6 < v.probability <= 1 for v in annotation.vertebrae)
    assert annotation.vertebrae[0].slice_range == (0, 9)


def test_bodies_above_t9_have_no_name(parameters):
    column = columns.quads(0)
    step = column["T9"].mean(axis=0) - column["T10"].mean(axis=0)
    above = candidates.Candidate(column["T9"] + step, (0, 9), 0.95, columns.FLAT)
    names = ["T9", "T10", "T11", *_NAMES]
    solved = _label([above, *columns.found(column, names, share=0.8)], parameters)
    assert solved.names == (None, *names) and solved.status == "answered"


def test_a_doubtful_body_above_t12_does_not_spoil_the_rest(parameters):
    names = ["T10", "T11", *_NAMES]
    first, *rest = _column(0, names)
    half = (first.corners_mm + first.corners_mm.mean(axis=0)) / 2
    found = [dataclasses.replace(first, corners_mm=half), *rest]
    solved = _label(found, parameters)
    assert solved.names == (None, *names[1:]) and solved.status == "answered"
    assert 0.8 < solved.marginals[0, labelling.column_of("T10")] < 0.9
    annotation = labelling.annotate(found, solved)
    assert [v.level.value for v in annotation.vertebrae] == names[1:]


def _without_sacrum():
    return _column(0, ["T11", *_NAMES[:-1]])


@pytest.mark.parametrize(
    "make, values, reason",
    [
        (_without_sacrum, {}, "no sacrum was found in the field of view"),
        (lambda: [], {}, "too few vertebral bodies were found: 0, at least 4"),
        (lambda: _column(0, ["S1"]), {}, "too few vertebral bodies were found: 1"),
        (lambda: _column(0, ["L4", "L5", "S1"]), {}, "too few vertebral bodies were found: 3"),
        (lambda: _column(0, score=0.45), {}, "the network's mean score is 0.45, below 0.5"),
        (_column, {"out_of_domain": "it is a brain"}, "it is a brain"),
        (lambda: [], {"out_of_domain": "it is a brain"}, "it is a brain"),
    ],
)
def test_what_cannot_be_named_says_why(parameters, make, values, reason):
    found = make()
    solved = _label(found, parameters, **values)
    assert solved.status == "unknown" and solved.reason.startswith(reason)
    annotation = labelling.annotate(found, solved)
    assert annotation.status == "unknown" and annotation.reason == solved.reason
    assert len(annotation.vertebrae) == len(found)
    assert all(v.level is None for v in annotation.vertebrae)


def test_a_network_that_contradicts_the_shapes_gives_a_tie(parameters):
    column = columns.quads(0)
    shifted = "T11 T12 L1 L2 L3 L4 L5".split()
    found = [
        candidates.Candidate(column[name], (0, 9), 0.95, columns.opinion(other, 0.99))
        for name, other in zip(_NAMES, shifted, strict=True)
    ]
    sure = dataclasses.replace(
        parameters, settings=dataclasses.replace(parameters.settings, min_probability=1 - 1e-12)
    )
    solved = _label(found, sure)
    assert solved.status == "unknown" and "a tie: the body taken for" in solved.reason


def test_the_number_of_lumbar_vertebrae_may_be_unclear(parameters):
    settings = dataclasses.replace(parameters.settings, number_weight=0.01)
    undecided = dataclasses.replace(parameters, lumbar_prior=(0.3, 0.4, 0.3), settings=settings)
    solved = _label(_column(0, share=None), undecided)
    assert solved.status == "unknown"
    assert solved.reason.startswith("the number of lumbar vertebrae is not clear: 4 (0.")


@pytest.mark.parametrize(("least", "status"), [(0.9, "unknown"), (0.6, "answered")])
def test_another_number_than_five_must_be_surer(parameters, least, status):
    settings = dataclasses.replace(
        parameters.settings,
        number_weight=0.0,
        min_probability=0.0,
        min_other_number_probability=least,
    )
    six = dataclasses.replace(parameters, lumbar_prior=(0.05, 0.2, 0.75), settings=settings)
    solved = _label(_column(0, share=None), six)
    assert (solved.num_lumbar, solved.status) == (6, status)
    five = dataclasses.replace(six, lumbar_prior=(0.05, 0.75, 0.2))
    assert _label(_column(0, share=None), five).status == "answered"


def test_a_square_s1_with_a_full_disc_below_may_be_transitional(parameters):
    column = columns.quads(0)
    s1 = column["S1"]
    axis = s1[[3, 2]].mean(axis=0) - s1[[0, 1]].mean(axis=0)
    square = column | {"S1": np.concatenate([s1[:2], (s1[:2] + axis)[::-1]])}
    discs = columns.discs(square, [*_NAMES[:-1], "S1"])
    found = columns.found(square, _NAMES, share=0.99)
    # Whatever the probability, such a junction is not named.
    bold = dataclasses.replace(
        parameters,
        settings=dataclasses.replace(
            parameters.settings, min_probability=0.0, min_number_probability=0.0
        ),
    )
    solved = _label(found, bold, discs=discs)
    if solved.names[-1] == "S1":
        assert solved.reason.startswith("the lumbosacral junction may be transitional")
    assert solved.status == "unknown"


def test_implausible_spacing(parameters):
    column = columns.quads(0)
    moved = {
        name: quad + [0, 0, 25.0 if name in ("T12", "L1", "L2") else 0.0]
        for name, quad in column.items()
    }
    strict = dataclasses.replace(
        parameters, settings=dataclasses.replace(parameters.settings, missed=1e-9)
    )
    solved = _label(columns.found(moved, _NAMES, share=0.99), strict)
    assert solved.status == "unknown"


def test_probabilities_are_those_of_the_names(parameters):
    solved = _label(_column(3), parameters)
    for i, name in enumerate(solved.names):
        assert solved.probabilities[i] == solved.marginals[i, labelling.column_of(name)]
    assert np.all(solved.given_number <= 1) and np.all(solved.probabilities <= 1)


@pytest.mark.real_data
def test_a_real_column_that_nothing_was_fitted_to_is_named_by_its_shapes(parameters):
    (annotation,) = vertebrae.load(str(_DATA / "lumbar_study" / "vertebrae.json"))
    found = [
        candidates.Candidate(v.corners_mm, (0, 0), 0.95, columns.FLAT) for v in annotation.vertebrae
    ]
    assert _label(found, parameters).names == tuple(_NAMES)
