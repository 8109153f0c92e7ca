import pytest

from spine_tf import header_facts


def test_titles_are_the_classes():
    assert header_facts.SEX.titles == ("female", "male")
    assert header_facts.AGE.titles == (
        "under 20",
        "20 to 29",
        "30 to 39",
        "40 to 49",
        "50 to 59",
        "60 to 69",
        "70 to 79",
        "80 and over",
    )
    assert header_facts.WEIGHT.titles[:2] == ("under 40 kg", "40 to 49 kg")
    assert header_facts.WEIGHT.titles[-2:] == ("110 to 119 kg", "120 kg and over")
    counts = {name: fact.num_classes for name, fact in header_facts.FACTS.items()}
    assert counts == {"sex": 2, "age": 8, "weight": 10}


@pytest.mark.parametrize(
    "years, title",
    [
        (0.02, "under 20"),
        (19.99, "under 20"),
        (20, "20 to 29"),
        (45, "40 to 49"),
        (79.9, "70 to 79"),
        (80, "80 and over"),
        (101, "80 and over"),
    ],
)
def test_age(years, title):
    assert header_facts.AGE.titles[header_facts.age_class(years)] == title


@pytest.mark.parametrize(
    "kg, title",
    [
        (3.2, "under 40 kg"),
        (39.9, "under 40 kg"),
        (40, "40 to 49 kg"),
        (119.5, "110 to 119 kg"),
        (120, "120 kg and over"),
        (210, "120 kg and over"),
    ],
)
def test_weight(kg, title):
    assert header_facts.WEIGHT.titles[header_facts.weight_class(kg)] == title


def test_names():
    assert header_facts.parse_names("") == ()
    assert header_facts.parse_names("weight, sex,sex") == ("sex", "weight")
    with pytest.raises(ValueError, match="comma list of sex, age, weight, got 'sex,name'"):
        header_facts.parse_names("sex,name")
