import pytest

from spine_tf import levels

DISCS = "T9-T10 T10-T11 T11-T12 T12-L1 L1-L2 L2-L3 L3-L4 L4-L5 L5-S1".split()


def test_vertebrae_run_from_head_to_foot():
    names = "T9 T10 T11 T12 L1 L2 L3 L4 L5 L6 S1".split()
    by_order = sorted(levels.VertebraLevel, key=lambda level: level.order)
    assert [level.value for level in by_order] == names
    assert [level.order for level in by_order] == list(range(11))


def test_discs_run_from_head_to_foot():
    by_order = sorted(levels.DiscLevel, key=lambda disc: disc.order)
    assert [disc.value for disc in by_order] == [*DISCS, "L5-L6", "L6-S1"]


def test_a_disc_is_named_after_its_neighbours():
    for disc in levels.DiscLevel:
        assert disc.value == f"{disc.upper.value}-{disc.lower.value}"
        assert disc.upper.order < disc.lower.order
        assert levels.DiscLevel.between(disc.upper, disc.lower) is disc
        assert levels.DiscLevel.between(disc.lower, disc.upper) is None


def test_vertebrae_that_are_no_neighbours_have_no_disc():
    assert levels.DiscLevel.between(levels.VertebraLevel.L3, levels.VertebraLevel.L5) is None


@pytest.mark.parametrize("kind", [levels.VertebraLevel, levels.DiscLevel])
def test_from_name(kind):
    for level in kind:
        assert kind.from_name(level.value) is level


@pytest.mark.parametrize(
    "kind, name, message",
    [
        (levels.VertebraLevel, "L7", r"`level` must be one of T9, .*, S1, got 'L7'"),
        (levels.VertebraLevel, "l1", "got 'l1'"),
        (levels.DiscLevel, "L1/L2", r"`disc` must be one of T9-T10, .*, got 'L1/L2'"),
        (levels.DiscLevel, "L1-L3", "got 'L1-L3'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_choices(kind, name, message):
    with pytest.raises(ValueError, match=message):
        kind.from_name(name)


def test_lumbar_levels():
    assert [v.value for v in levels.LUMBAR_VERTEBRAE] == "T12 L1 L2 L3 L4 L5 S1".split()
    neighbours = zip(levels.LUMBAR_VERTEBRAE, levels.LUMBAR_VERTEBRAE[1:], strict=False)
    assert levels.LUMBAR_DISCS == tuple(levels.DiscLevel.between(a, b) for a, b in neighbours)


def test_spider_counts_upwards_from_l5():
    assert levels.SPIDER_VERTEBRAE[1].value == "L5"
    assert levels.SPIDER_VERTEBRAE[6].value == "T12"
    assert levels.SPIDER_DISCS[1].value == "L5-S1"
    assert levels.SPIDER_DISCS[6].value == "T12-L1"
    # A disc has the number of the vertebra above it.
    for number, disc in levels.SPIDER_DISCS.items():
        assert disc.upper is levels.SPIDER_VERTEBRAE[number]
    assert levels.SPIDER_DISC_OFFSET + 1 == 201


def test_totalspineseg_follows_its_label_table():
    # README of TotalSpineSeg: T9..T12 = 29..32, L1..L5 = 41..45, sacrum = 50.
    numbers = [29, 30, 31, 32, 41, 42, 43, 44, 45, 50]
    names = "T9 T10 T11 T12 L1 L2 L3 L4 L5 S1".split()
    found = {n: level.value for n, level in levels.TOTALSPINESEG_VERTEBRAE.items()}
    assert found == dict(zip(numbers, names, strict=True))
    assert [disc.value for disc in levels.TOTALSPINESEG_DISCS.values()] == DISCS
    assert list(levels.TOTALSPINESEG_DISCS) == [80, 81, 82, 91, 92, 93, 94, 95, 100]


def test_spineps_numbers():
    # T1 = 8, so T9 = 16, T12 = 19, L1 = 20, L6 = 25, S1 = 26.
    found = {level.value: n for n, level in levels.SPINEPS_VERTEBRAE.items()}
    assert (found["T9"], found["T12"], found["L1"]) == (16, 19, 20)
    assert (found["L6"], found["S1"]) == (25, 26)
    discs = {n: disc.value for n, disc in levels.SPINEPS_DISCS.items()}
    assert discs[119] == "T12-L1"
    assert discs[124] == "L5-S1"
    assert discs[125] == "L6-S1"
