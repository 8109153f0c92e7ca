import pytest

from data_prep import dicom_facts
from spine_tf import header_facts

UNKNOWN = header_facts.UNKNOWN


def _title(fact, found):
    return None if found == UNKNOWN else fact.titles[found]


@pytest.mark.parametrize(
    "text, title",
    [("F", "female"), ("M", "male"), ("m ", "male"), ("O", None), ("", None), ("0000", None)],
)
def test_sex(text, title):
    assert _title(header_facts.SEX, dicom_facts.sex_class(text)) == title


@pytest.mark.parametrize(
    "text, title",
    [
        ("045Y", "40 to 49"),
        ("45Y", "40 to 49"),
        ("018M", "under 20"),
        ("300M", "20 to 29"),  # 25 years
        ("006W", "under 20"),
        ("003D", "under 20"),
        ("080Y", "80 and over"),
        ("000Y", None),
        ("000M", None),
        ("0000", None),
        ("045", None),
        ("121Y", None),
        ("-45Y", None),
        ("unknown", None),
    ],
)
def test_age(text, title):
    # The birth date would say 60: it is never used beside a PatientAge, usable or not.
    found = dicom_facts.age_class(text, "19600101", "20200601")
    assert _title(header_facts.AGE, found) == title


@pytest.mark.parametrize(
    "birth_date, study_date, title",
    [
        ("19800602", "20200601", "30 to 39"),  # 40 on the next day
        ("19800601", "20200601", "40 to 49"),
        ("1980.06.01", "20200601", "40 to 49"),
        ("20200531", "20200601", "under 20"),
        ("20200602", "20200601", None),
        ("19000101", "20000101", None),  # what anonymisers write
        ("18800101", "20200601", None),
        ("", "20200601", None),
        ("19800601", "", None),
        ("198006", "20200601", None),
    ],
)
def test_age_of_a_birth_date(birth_date, study_date, title):
    for absent in ("", " "):
        found = dicom_facts.age_class(absent, birth_date, study_date)
        assert _title(header_facts.AGE, found) == title


@pytest.mark.parametrize(
    "text, title",
    [
        ("78", "70 to 79 kg"),
        ("007.8E+01", "70 to 79 kg"),
        ("39.99", "under 40 kg"),
        ("007.8E-01", None),  # 0.78 kg
        ("0", None),
        ("-70", None),
        ("78000", None),
        ("1e999", None),
        ("nan", None),
        ("70kg", None),
        ("70\\71", None),
        ("", None),
    ],
)
def test_weight(text, title):
    assert _title(header_facts.WEIGHT, dicom_facts.weight_class(text)) == title


def test_only_what_was_asked_for_is_read():
    asked = []

    def text(name):
        asked.append(name)
        return "F"

    assert dicom_facts.read(text, "20200101", ()) == {} and not asked
    assert dicom_facts.read(text, "20200101", ("sex",)) == {"sex": 0}
    assert asked == ["PatientSex"]
