"""Tests of export.structured_report_codes."""

import pytest
from pydicom.sr import codedict

from export import structured_report_codes as codes
from spine_tf import gradings, levels

_DISCS = {level: codes.disc(level) for level in levels.DiscLevel}


@pytest.mark.parametrize("level", [x for x, code in _DISCS.items() if code.scheme == codes.SNOMED])
def test_discs_are_those_of_the_context_group(level):
    expected = getattr(codedict.codes.cid7604, level.value.replace("-", "") + "Disc")
    assert (_DISCS[level].value, _DISCS[level].meaning) == (expected.value, expected.meaning)


def test_only_a_sixth_lumbar_vertebra_needs_private_discs():
    private = {level.value for level, code in _DISCS.items() if code.scheme == codes.PRIVATE}
    assert private == {"L5-L6", "L6-S1"}


def test_standard_codes_are_those_of_the_dictionary():
    found = codedict.codes
    for code, expected in (
        (codes.PROCEDURE, found.LN.MRIUnspecifiedBodyRegion),
        (codes.FAMILY, found.DCM.ArtificialIntelligence),
        (codes.DEVICE, found.DCM.Device),
        (codes.NO_UNITS, found.UCUM.NoUnits),
        (codes.YES, found.SCT.Yes),
        (codes.NO, found.SCT.No),
    ):
        assert (code.value, code.scheme) == (expected.value, expected.scheme_designator)
        assert code.meaning == expected.meaning


def test_every_grading_has_codes_that_differ_and_fit():
    found = [codes.CALIBRATED, codes.OUTLIER, codes.DISTANCE, *_DISCS.values()]
    made = (codes.grading, codes.probability, codes.expected, codes.uncertain, codes.was_graded)
    for name, item in gradings.GRADINGS.items():
        found += [make(name) for make in made]
        found += [codes.grade(name, grade) for grade in item.grades]
    assert len({(code.value, code.scheme) for code in found}) == len(found)
    for code in found:  # SH and LO of DICOM
        assert 0 < len(code.value) <= 16 and 0 < len(code.meaning) <= 64, code
