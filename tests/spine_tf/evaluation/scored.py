"""Scored pairs of bodies or studies, made without images."""

import numpy as np

from spine_tf.evaluation import bootstrap, pair_list, pair_scores


def visits_of(number, levels=("L1",), field_t=(1.0, 1.5)):
    """Two visits of each of `number` subjects, 10 years apart, at each level."""
    rows = [(i, v, name) for name in levels for i in range(number) for v in range(2)]
    subject, visit, level = (np.array(column) for column in zip(*rows, strict=True))
    names = np.array([f"s{i:02d}" for i in subject])
    return pair_list.Visits(
        record=np.arange(len(rows)) // 2,
        visit=visit,
        subject=names,
        family=names,
        level=level,
        scan=np.array([f"{name}-{v}" for name, v in zip(names, visit, strict=True)]),
        days=3650 * visit,
        field_strength_t=np.array(field_t)[visit],
        fold=np.zeros(len(rows), int),
    )


def pairs_of(visits):
    """Every earlier body with every later one of its level; positive where the subject is one."""
    early, late = (np.flatnonzero(visits.visit == v) for v in (0, 1))
    one, two = (side.ravel() for side in np.meshgrid(early, late, indexing="ij"))
    keep = visits.level[one] == visits.level[two]
    one, two = one[keep], two[keep]
    kind = np.where(
        visits.subject[one] == visits.subject[two], pair_list.POSITIVE, pair_list.NEGATIVE
    )
    stratum = np.unique(visits.level[one], return_inverse=True)[1].reshape(-1)
    return pair_list.Pairs(one, two, kind, stratum)


def make(distance_of, number=6, seed=0, num_draws=100, **options):
    """Scores of subjects with two visits; distances are `distance_of`(kind [pairs], generator)."""
    visits = visits_of(number, **options)
    pairs = pairs_of(visits)
    units, count = bootstrap.codes(visits.subject)
    distance = np.asarray(distance_of(pairs.kind, np.random.default_rng(seed)), float)
    counts = bootstrap.draw_counts(count, num_draws, 0)
    return pair_scores.Scores(visits, pairs, distance, units, counts)
