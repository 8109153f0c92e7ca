import pickle

import pytest

from data_prep import rejection


def test_what_a_person_reads():
    found = rejection.Rejection("a/b.dcm", "1.2.3", "it is cut short.")
    assert str(found) == "a/b.dcm (1.2.3): it is cut short."
    assert str(rejection.Rejection("a", "", "it is empty.")) == "a: it is empty."


def test_the_error_carries_the_rejection():
    with pytest.raises(ValueError, match=r"a/b.dcm \(1.2.3\): it is broken") as error:
        raise rejection.RejectedInput("a/b.dcm", "1.2.3", "it is broken")
    assert error.value.rejection == rejection.Rejection("a/b.dcm", "1.2.3", "it is broken")


def test_the_error_crosses_processes():
    error = pickle.loads(pickle.dumps(rejection.RejectedInput("a", "1.2", "it is broken")))
    assert error.rejection == rejection.Rejection("a", "1.2", "it is broken")
    assert str(error) == "a (1.2): it is broken"


def test_odd_names_of_files_are_shown_as_escapes():
    found = rejection.Rejection("a\nb\udcff\x1b.dcm", "", "is broken")
    assert str(found) == r"a\nb\udcff\x1b.dcm: is broken"
    assert rejection.printable("M\u00fcller") == "M\u00fcller"
