import dataclasses

import numpy as np
import pytest

from spine_tf.detection import candidates, evidence, label_parameters
from tests.spine_tf.detection import columns

_NAMES = "T12 L1 L2 L3 L4 L5 S1".split()


@pytest.fixture(scope="module")
def parameters():
    return label_parameters.load()


def _gather(parameters, names=_NAMES, discs=(), foot_edge_mm=None, **values):
    found = columns.found(columns.quads(0), names, **values)
    return evidence.gather(found, discs, parameters, foot_edge_mm)


@pytest.mark.parametrize("number, roles", [(4, [4 + 1 / 3, 5 + 2 / 3, 7, 8]), (5, [4, 5, 6, 7, 8])])
def test_lumbar_places_end_like_l4_and_l5(number, roles):
    places = evidence.places(number)
    lumbar = [i for i, name in enumerate(places.names) if name and name[0] == "L"]
    assert [places.names[i] for i in lumbar] == [f"L{j + 1}" for j in range(number)]
    np.testing.assert_allclose(places.roles[lumbar], roles)
    assert np.all(np.diff(places.roles[3:-1]) > 0)  # T9 to S2


def test_places_without_names_lie_above_t9_and_below_s2():
    places = evidence.places(6)
    assert places.names[:4] == (None, None, None, "T9") and places.names[-2:] == ("S2", None)
    assert "L6" in places.names


def test_a_flat_opinion_says_the_same_of_every_ordinary_place(parameters):
    for each in _gather(parameters):
        np.testing.assert_allclose(each.network, 0, atol=1e-9)


def test_the_network_is_read_by_looks_and_by_name(parameters):
    five, six = _gather(parameters, share=0.89)[1:]
    place = five.places.names.index("L5")
    body = _NAMES.index("L5")
    assert five.network[body, place] == pytest.approx(np.log(0.89 * 12))
    # With six, the last one looks like L5: half of 0.89 by looks, half of 0.01 by name.
    place = six.places.names.index("L6")
    assert six.network[body, place] == pytest.approx(np.log((0.89 + 0.01) / 2 * 12))


def test_discs_speak_where_there_are_any(parameters):
    column = columns.quads(0)
    assert not np.any(_gather(parameters)[1].discs)
    found = _gather(parameters, discs=columns.discs(column, _NAMES[:-1], score=1.0))[1]
    s1, l5 = found.places.names.index("S1"), found.places.names.index("L5")
    settings = parameters.settings
    body = _NAMES.index("L5")  # a disc is found below it
    assert found.discs[body, l5] == pytest.approx(np.log(2 * settings.last_disc_found))
    assert found.discs[body, s1] == pytest.approx(np.log(2 * settings.sacral_disc_found))
    body = _NAMES.index("S1")  # none is found
    assert found.discs[body, s1] == pytest.approx(np.log(2 * (1 - settings.sacral_disc_found)))


def test_a_remnant_is_no_disc(parameters):
    column = columns.quads(0)
    remnant = columns.discs(column, ["S1"], length=0.5)
    full = columns.discs(column, _NAMES[:-1])
    with_remnant = _gather(parameters, discs=full + remnant)[1].discs
    np.testing.assert_array_equal(with_remnant, _gather(parameters, discs=full)[1].discs)


def test_room_below_counts_whole_bodies(parameters):
    column = columns.quads(0)
    edge_mm = float(column["S1"][:, 2].min()) - 1
    slots = _gather(parameters, foot_edge_mm=edge_mm)[1].slots_below
    assert slots[-1] == 0 and slots[-2] >= 1 and np.all(np.diff(slots) <= 0)
    assert np.all(_gather(parameters)[1].slots_below == 2)


def test_weighing(parameters):
    each = _gather(parameters, share=0.8)[1]
    settings = dataclasses.replace(parameters.settings, geometry_weight=0.0, network_weight=0.0)
    chain = evidence.weigh(each, settings)
    np.testing.assert_allclose(chain.unary, np.log(0.95))
    np.testing.assert_allclose(chain.skip, np.log(0.05))
    np.testing.assert_allclose(chain.pair[0, 1, :, 5], np.log(settings.missed) * np.arange(3))
    # Two bodies may have been missed if the last is L4, none if it is S1.
    names = each.places.names
    assert chain.end[0, names.index("L4")] == pytest.approx(2 * np.log(settings.missed))
    assert chain.end[0, names.index("S1")] == chain.end[0, names.index("S2")] == 0


def test_true_shapes_are_more_likely_than_shifted_ones(parameters):
    each = _gather(parameters)[1]
    places = np.array([each.places.names.index(name) for name in _NAMES])
    bodies = np.arange(len(_NAMES))

    def ratio(shift):
        pairs = each.pair[bodies[:-1], bodies[1:], 0, places[1:] + shift]
        return each.body[bodies, places + shift].sum() + pairs.sum()

    assert ratio(0) > max(ratio(-1), ratio(1)) + 5


def test_scores_are_never_certain(parameters):
    column = columns.quads(0)
    found = [dataclasses.replace(c, score=1.0) for c in columns.found(column, _NAMES)]
    chain = evidence.weigh(evidence.gather(found, (), parameters)[1], parameters.settings)
    assert np.isfinite(chain.skip).all()
    assert len(candidates.LEVELS) == 12
