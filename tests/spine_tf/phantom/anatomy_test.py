"""What persists, what a family shares, and what ages."""

import dataclasses

import numpy as np

from spine_tf.phantom import ageing, anatomy, pose


def _draw(family, own, **variation):
    return anatomy.draw(
        np.random.default_rng([0, family]),
        np.random.default_rng([1, own]),
        anatomy.Variation(**variation),
    )


def _curves(subject):
    return np.concatenate([shape.curves_mm.ravel() for shape in subject.vertebrae])


def test_inherited_has_unit_variance_and_the_share_as_correlation():
    pairs = []
    for family in range(300):
        twins = [
            anatomy.Inherited(
                np.random.default_rng([0, family]), np.random.default_rng([1, family, k]), 0.5
            ).normal(20)
            for k in range(2)
        ]
        pairs.append(twins)
    first, second = np.moveaxis(np.array(pairs), 1, 0).reshape(2, -1)
    assert abs(first.std() - 1) < 0.03
    assert abs(np.corrcoef(first, second)[0, 1] - 0.5) < 0.04


def test_twins_are_more_alike_than_strangers():
    twins = np.mean(
        [np.abs(_curves(_draw(k, 2 * k)) - _curves(_draw(k, 2 * k + 1))).mean() for k in range(12)]
    )
    strangers = np.mean(
        [
            np.abs(_curves(_draw(k, 2 * k)) - _curves(_draw(k + 50, 2 * k + 1))).mean()
            for k in range(12)
        ]
    )
    assert twins < 0.85 * strangers


def test_identical_seeds_are_the_same_person():
    np.testing.assert_array_equal(_curves(_draw(1, 2)), _curves(_draw(1, 2)))


def test_nothing_heals():
    history = ageing.draw_history(
        np.random.default_rng(0),
        np.random.default_rng(1),
        np.array([0.0, 10.0, 20.0]),
        ageing.Ageing(),
    )
    degeneration = np.array([[disc.degeneration for disc in visit] for visit in history])
    assert np.all(np.diff(degeneration, axis=0) > 0)


def test_wear_darkens_flattens_and_bulges():
    discs = [
        disc
        for seed in range(30)
        for disc in ageing.draw_history(
            np.random.default_rng([0, seed]),
            np.random.default_rng([1, seed]),
            np.zeros(1),
            ageing.Ageing(),
        )[0]
    ]
    wear = [disc.degeneration for disc in discs]
    for name, sign in (
        ("signal", -1),
        ("height_fraction", -1),
        ("bulge_mm", 1),
        ("osteophyte_mm", 1),
    ):
        assert sign * np.corrcoef(wear, [getattr(disc, name) for disc in discs])[0, 1] > 0.6


def test_identity_persists_while_discs_lose_height():
    subject = _draw(3, 3)
    history = ageing.draw_history(
        np.random.default_rng(3), np.random.default_rng(4), np.array([0.0, 30.0]), ageing.Ageing()
    )
    body = pose.Pose(1.0, np.zeros(3), 0.0, np.zeros(12), np.zeros(2), np.ones(4))
    young, old = (pose.lay_out(subject, discs, body) for discs in history)
    for level in range(len(anatomy.RENDERED)):
        np.testing.assert_array_equal(young.shapes[level].corners_mm, old.shapes[level].corners_mm)
    assert np.ptp(old.centres_mm[:, 1]) < np.ptp(young.centres_mm[:, 1])


def test_slip_moves_the_upper_body_to_the_front():
    subject = _draw(3, 3)
    discs = list(
        ageing.draw_history(
            np.random.default_rng(3), np.random.default_rng(4), np.zeros(1), ageing.Ageing()
        )[0]
    )
    level = anatomy.RENDERED.index("L4")
    body = pose.Pose(1.0, np.zeros(3), 0.0, np.zeros(12), np.zeros(2), np.ones(4))
    offsets = []
    for slip_mm in (0.0, 6.0):
        discs[level] = dataclasses.replace(discs[level], slip_mm=slip_mm)
        spine = pose.lay_out(subject, tuple(discs), body)
        offsets.append(spine.corners_mm(level)[2, 0] - spine.corners_mm(level + 1)[1, 0])
    np.testing.assert_allclose(offsets[0] - offsets[1], 6.0, rtol=0.05)


def test_grades_follow_the_cuts():
    state = ageing.draw_history(
        np.random.default_rng(3), np.random.default_rng(4), np.zeros(1), ageing.Ageing()
    )[0][6]
    quiet = ageing.Ageing(reader_noise=0.0)
    for degeneration, grade, pfirrmann in ((-2.0, 1, 1), (0.0, 2, 3), (0.5, 3, 3), (2.0, 4, 5)):
        states = (dataclasses.replace(state, degeneration=degeneration),) * 12
        read = ageing.read(states, np.full(12, 14.0), np.random.default_rng(0), quiet)
        for grades in read.values():
            assert (grades["disc_degeneration"], grades["pfirrmann"]) == (grade, pfirrmann)
