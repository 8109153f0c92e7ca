import pytest

from data_prep import annotations, listed, settings
from tests.data_prep import image_samples


def _items(*subjects):
    return [
        listed.Listed(f"{n}", f"{n}.png", subject, subject, days, None)
        for n, (subject, days) in enumerate(subjects)
    ]


def test_visits_are_the_days_of_a_subject():
    made = listed.requests(_items(("a", 9), ("b", 5), ("a", -1), ("a", 9)), b"key")
    assert [(r.visit, r.days) for r in made] == [(1, 10), (0, 0), (0, 0), (1, 10)]
    assert len({r.scan_key for r in made}) == 4 and len({r.subject_key for r in made}) == 2


def test_nobody_is_shown():
    (item,) = _items(("Zebulon", 0))
    assert "Zebulon" not in repr(item)


@pytest.mark.parametrize(
    ("values", "needed", "problem"),
    [
        ({"case": "a", "days": ""}, ["case"], ""),
        ({"case": "", "days": ""}, ["case"], "`case` is empty"),
        ({"case": "a", "days": ""}, ["case", "days"], "`days` must be a whole number"),
        ({"case": "a", "days": "May"}, ["case"], "`days` must be a whole number"),
    ],
)
def test_problems_of_a_row(values, needed, problem):
    assert listed.problem(values, needed) == problem


def test_the_first_problem_is_reported(tmp_path):
    table = image_samples.write_table(tmp_path / "a.csv", [("x",)], columns=("case",))
    (row,) = annotations.read_rows(table, ("case",))
    report = annotations.RowReport()
    assert not listed.report_problem(report, row, "", "")
    assert listed.report_problem(report, row, "", "first", "second")
    assert [str(r) for r in report.rejections()] == [f"{table}: row 2: first"]


def test_a_subject_has_one_family():
    families = listed.Families()
    assert not families.problem("a", "x") and not families.problem("a", "x")
    assert "another family" in families.problem("a", "y")


def test_the_protocol_of_slices():
    made = listed.requests(_items(*((f"s{n}", 0) for n in range(10))), b"key")
    (found,) = listed.protocols_of_slices(made, settings.Settings(held_out_fraction=0.2)).values()
    assert sorted(found.values()) == ["test"] * 2 + ["train"] * 6 + ["validation"] * 2


def test_missing_input(tmp_path):
    listed.check_exist(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="none: there is no such file or folder"):
        listed.check_exist(str(tmp_path / "none"))
