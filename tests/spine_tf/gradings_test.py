import dataclasses

import pytest

from spine_tf import gradings


def test_the_table_is_keyed_by_name():
    assert all(name == grading.name for name, grading in gradings.GRADINGS.items())
    assert all(grading.num_classes >= 2 for grading in gradings.GRADINGS.values())


@pytest.mark.parametrize(
    "name, grades",
    [
        ("disc_degeneration", (1, 2, 3, 4)),
        ("pfirrmann", (1, 2, 3, 4, 5)),
        ("disc_narrowing", (1, 2, 3, 4)),
        ("modic", (0, 1, 2, 3)),
        ("spondylolisthesis", (0, 1)),
    ],
)
def test_published_grades(name, grades):
    assert gradings.from_name(name).grades == grades


@pytest.mark.parametrize("grading", gradings.GRADINGS.values(), ids=lambda grading: grading.name)
def test_class_index_and_grade_are_inverse(grading):
    assert [grading.class_index(grade) for grade in grading.grades] == list(
        range(grading.num_classes)
    )
    assert [grading.grade(i) for i in range(grading.num_classes)] == list(grading.grades)


def test_pfirrmann_1_is_class_0():
    pfirrmann = gradings.from_name("pfirrmann")
    assert pfirrmann.class_index(1) == 0
    assert pfirrmann.grade(4) == 5


def test_not_graded_stays_not_graded():
    for grading in gradings.GRADINGS.values():
        assert grading.class_index(gradings.NOT_GRADED) == -1


@pytest.mark.parametrize("grade", [0, 6, -2])
def test_a_grade_outside_the_scale_is_refused(grade):
    message = rf"`pfirrmann` must be one of \[1, 2, 3, 4, 5\] or -1 \(not graded\), got {grade}"
    with pytest.raises(ValueError, match=message):
        gradings.from_name("pfirrmann").class_index(grade)


def test_an_unknown_grading_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="`grading` must be one of disc_degeneration, .*'pfirman'"):
        gradings.from_name("pfirman")


def test_spinenet_has_eight_gradings():
    assert len(gradings.SPINENET_GRADINGS) == len(set(gradings.SPINENET_GRADINGS)) == 8
    assert set(gradings.SPINENET_GRADINGS) <= set(gradings.GRADINGS)


def test_spider_has_eight_columns():
    assert len(gradings.SPIDER_COLUMNS) == len(set(gradings.SPIDER_COLUMNS.values())) == 8
    assert set(gradings.SPIDER_COLUMNS.values()) <= set(gradings.GRADINGS)


def test_a_grading_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        gradings.from_name("modic").num_classes = 3
