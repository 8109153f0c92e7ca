import numpy as np
import pytest

from benchmarks import labelling_cases
from spine_tf.detection import candidates


@pytest.fixture(scope="module")
def truth():
    return labelling_cases.phantom_columns(3, 1)[0]


def _heights(column):
    return [candidate.center_mm[2] for candidate in column.found]


def _named(column):
    return [name for name in column.names if name]


def test_what_is_found_runs_from_head_to_foot(truth):
    column = labelling_cases.simulate(truth, labelling_cases.Errors(num_false=2), True, (1,))
    assert _heights(column) == sorted(_heights(column), reverse=True)
    assert column.names.count(None) == 2
    places = [candidates.LEVELS.index(name) for name in _named(column)]
    assert places == sorted(set(places)) and "S2" not in column.names


@pytest.mark.parametrize(
    "num_lumbar, lumbar",
    [(4, ["L1", "L2", "L3", "L4"]), (6, ["L1", "L2", "L3", "L4", "L5", "L6"])],
)
def test_a_column_of_another_number_keeps_its_true_names(truth, num_lumbar, lumbar):
    errors = labelling_cases.Errors(num_lumbar=num_lumbar)
    for seed in range(20):  # a body is missed at random now and then
        column = labelling_cases.simulate(truth, errors, False, (seed,))
        if len(column.found) == 6 + num_lumbar - 1:
            break
    assert [name for name in column.names if name[0] == "L"] == lumbar
    spacing = -np.diff(_heights(column))
    assert spacing.min() > 15 and spacing.max() < 50
    assert column.found[-1].center_mm == pytest.approx(truth.quads["S1"].mean(axis=0), abs=2)


def test_what_is_lost_is_not_found(truth):
    errors = labelling_cases.Errors(lost=("S1",), lost_discs=("L5",))
    column = labelling_cases.simulate(truth, errors, False, (2,))
    assert "S1" not in column.names and "L5" in column.names
    full = labelling_cases.simulate(truth, labelling_cases.Errors(), False, (2,))
    assert len(column.discs) < len(full.discs)


def test_nothing_is_found_below_the_edge(truth):
    errors = labelling_cases.Errors(cut_below="L4")
    column = labelling_cases.simulate(truth, errors, False, (2,))
    assert not {"L5", "S1"} & set(column.names)
    assert column.found[-1].center_mm[2] > column.foot_edge_mm
    assert all(disc.center_mm[2] > column.foot_edge_mm for disc in column.discs)


def test_the_same_seed_gives_the_same_column(truth):
    one, other = (
        labelling_cases.simulate(truth, labelling_cases.Errors(), True, (4,)) for _ in range(2)
    )
    assert one.names == other.names
    np.testing.assert_array_equal(one.found[2].corners_mm, other.found[2].corners_mm)
