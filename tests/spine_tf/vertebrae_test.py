import json
import pathlib

import numpy as np
import pytest

from spine_tf import levels, vertebrae

_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def _quad(top_mm, x_mm=0.0):
    """A body 34 mm deep and 26 mm high whose upper edge is at z = `top_mm`."""
    bottom_mm = top_mm - 26
    return [[x_mm, 0, top_mm], [x_mm, 34, top_mm], [x_mm, 34, bottom_mm], [x_mm, 0, bottom_mm]]


def _vertebra(name, top_mm, **values):
    return vertebrae.Vertebra(levels.VertebraLevel(name), _quad(top_mm), **values)


def _content(**values):
    content = {
        "format": "vertebrae/1",
        "series_instance_uid": "1.2.3",
        "vertebrae": [
            {"level": "L4", "corners_mm": _quad(36)},
            {"level": "L5", "corners_mm": _quad(0)},
        ],
    }
    return {**content, **values}


def test_corners_become_an_array():
    found = _vertebra("L5", 0).corners_mm
    assert found.shape == (4, 3) and found.dtype == np.float64


@pytest.mark.parametrize(
    "corners_mm, message",
    [
        (_quad(0)[:3], "`corners_mm` of L5 must be 4 corners of 3 finite mm"),
        ([corner[:2] for corner in _quad(0)], "must be 4 corners of 3 finite mm"),
        ([[0, 0, float("nan")], *_quad(0)[1:]], "must be 4 corners of 3 finite mm"),
        (_quad(0)[::-1], "must run anterior_superior, posterior_superior"),
        ([[0, 0, 0]] * 4, "must run anterior_superior"),
    ],
)
def test_corners_that_cannot_be_are_refused(corners_mm, message):
    with pytest.raises(ValueError, match=message):
        vertebrae.Vertebra(levels.VertebraLevel.L5, corners_mm)


def test_an_annotation_is_sorted_from_head_to_foot():
    annotation = vertebrae.Annotation(
        (_vertebra("L5", 0), _vertebra("L3", 72), _vertebra("L4", 36))
    )
    assert [vertebra.level.value for vertebra in annotation.vertebrae] == ["L3", "L4", "L5"]
    assert annotation.by_level[levels.VertebraLevel.L4].corners_mm[0, 2] == 36


def test_an_annotation_needs_a_vertebra():
    with pytest.raises(ValueError, match="`vertebrae` must hold at least one vertebra, got none"):
        vertebrae.Annotation(())


def test_a_level_named_twice_is_refused():
    found = (_vertebra("L5", 0), _vertebra("L4", 36), _vertebra("L5", 72))
    with pytest.raises(ValueError, match=r"must name each level once, got \['L5'\]"):
        vertebrae.Annotation(found)


def test_levels_out_of_order_are_refused():
    # L4 below L5: their means are z = 0 - 13 and 36 - 13.
    message = r"got L5 at z=23.0 mm above L4 at z=-13.0 mm"
    with pytest.raises(ValueError, match=message):
        vertebrae.Annotation((_vertebra("L4", 0), _vertebra("L5", 36)))


def test_disc_corners_are_checked():
    disc = levels.DiscLevel.L5_S1
    with pytest.raises(ValueError, match="`corners_mm` of L5-S1 must run"):
        vertebrae.Annotation((_vertebra("L5", 0),), {disc: _quad(-30)[::-1]})
    annotation = vertebrae.Annotation((_vertebra("L5", 0),), {disc: _quad(-30)})
    assert annotation.disc_corners_mm[disc].shape == (4, 3)


def test_parse():
    annotation = vertebrae.parse(_content(source="marked by hand"))
    assert [vertebra.level.value for vertebra in annotation.vertebrae] == ["L4", "L5"]
    assert annotation.series_instance_uid == "1.2.3"
    assert annotation.source == "marked by hand"
    assert annotation.disc_corners_mm == {}


@pytest.mark.parametrize(
    "content, message",
    [
        (_content(format="vertebrae/2"), "`format` must be 'vertebrae/1', got 'vertebrae/2'"),
        ({}, "`format` must be 'vertebrae/1', got None"),
        ("L5", "`format` must be 'vertebrae/1', got 'str'"),
        (_content(vertebrae={"L5": []}), "`vertebrae` must be a list, got dict"),
        (_content(vertebrae="L5"), "`vertebrae` must be a list, got str"),
        (_content(vertebrae=[]), "must hold at least one vertebra"),
        (_content(vertebrae=[{"level": "L5"}]), "must have `level` and `corners_mm`"),
        (_content(vertebrae=["L5"]), "must have `level` and `corners_mm`, got 'L5'"),
        (
            _content(vertebrae=[{"level": "L9", "corners_mm": _quad(0)}]),
            "`level` must be one of .*, got 'L9'",
        ),
        (_content(disc_corners_mm={"L5-L4": _quad(0)}), "`disc` must be one of .*, got 'L5-L4'"),
    ],
)
def test_what_is_no_annotation_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        vertebrae.parse(content)


def test_json_round_trip():
    annotation = vertebrae.Annotation(
        vertebrae=(
            _vertebra("L4", 36, slice_range=(2, 9), probability=0.98765),
            _vertebra("L5", 0.128),
        ),
        disc_corners_mm={levels.DiscLevel.L5_S1: _quad(-30)},
        series_instance_uid="1.2.3",
        source="a test",
    )
    content = json.loads(json.dumps(vertebrae.to_json(annotation)))
    assert content["vertebrae"][1]["corners_mm"][0] == [0.0, 0.0, 0.13]  # 0.01 mm is enough
    again = vertebrae.parse(content)
    assert again.source == "a test" and again.series_instance_uid == "1.2.3"
    for before, after in zip(annotation.vertebrae, again.vertebrae, strict=True):
        assert after.level is before.level and after.slice_range == before.slice_range
        np.testing.assert_allclose(after.corners_mm, before.corners_mm, atol=0.005)
    assert again.vertebrae[0].probability == 0.9877
    assert again.vertebrae[1].probability is None
    disc_mm = again.disc_corners_mm[levels.DiscLevel.L5_S1]
    np.testing.assert_allclose(disc_mm, _quad(-30))


def _unknown():
    bodies = tuple(
        vertebrae.Vertebra(None, _quad(top_mm), probability=0.5) for top_mm in (0, 72, 36)
    )
    return vertebrae.Annotation(bodies, status=vertebrae.UNKNOWN, reason="no sacrum")


def test_an_unknown_annotation_holds_bodies_without_levels_from_head_to_foot():
    annotation = _unknown()
    assert [v.corners_mm[0, 2] for v in annotation.vertebrae] == [72, 36, 0]
    assert annotation.by_level == {}
    assert vertebrae.Annotation((), status=vertebrae.UNKNOWN).vertebrae == ()


def test_an_unknown_annotation_goes_to_json_and_back_only_where_it_is_allowed():
    content = json.loads(json.dumps(vertebrae.to_json(_unknown())))
    assert content["status"] == "unknown" and content["reason"] == "no sacrum"
    assert [item["level"] for item in content["vertebrae"]] == [None] * 3
    again = vertebrae.parse(content, allow_unknown=True)
    assert vertebrae.to_json(again) == content
    with pytest.raises(ValueError, match=r"`status` is 'unknown', .* \(no sacrum\); name the"):
        vertebrae.parse(content)


def test_answered_is_the_default_and_written():
    assert vertebrae.parse(_content()).status == "answered"
    content = vertebrae.to_json(vertebrae.parse(_content()))
    assert content["status"] == "answered" and "reason" not in content


@pytest.mark.parametrize(
    "values, message",
    [
        ({"status": "maybe"}, "`status` must be 'answered' or 'unknown', got 'maybe'"),
        ({"status": "unknown"}, "no vertebra may have a level where `status` is 'unknown'"),
        (
            {"vertebrae": [{"level": None, "corners_mm": _quad(0)}]},
            "every vertebra must have a level where `status` is 'answered'",
        ),
        (
            {"status": "unknown", "vertebrae": [], "disc_corners_mm": {"L5-S1": _quad(0)}},
            "`disc_corners_mm` must be empty",
        ),
    ],
)
def test_levels_and_status_must_agree(values, message):
    with pytest.raises(ValueError, match=message):
        vertebrae.parse(_content(**values), allow_unknown=True)


def test_load_takes_unknown_annotations_only_where_they_are_allowed(tmp_path):
    path = tmp_path / "vertebrae.json"
    path.write_text(json.dumps(vertebrae.to_json(_unknown())))
    assert vertebrae.load(str(path), allow_unknown=True)[0].reason == "no sacrum"
    with pytest.raises(ValueError, match=r"vertebrae\.json: `status` is 'unknown'"):
        vertebrae.load(str(path))


def test_load_takes_one_object_or_a_list(tmp_path):
    path = tmp_path / "vertebrae.json"
    path.write_text(json.dumps(_content()))
    assert len(vertebrae.load(str(path))) == 1
    path.write_text(json.dumps([_content(), _content(series_instance_uid="4.5")]))
    assert [a.series_instance_uid for a in vertebrae.load(str(path))] == ["1.2.3", "4.5"]


@pytest.mark.parametrize("text", ["", "{", '{"format": "x"}', "[[]]", "3"])
def test_load_names_the_file(tmp_path, text):
    path = tmp_path / "vertebrae.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"vertebrae\.json: "):
        vertebrae.load(str(path))


@pytest.mark.parametrize("values", [{"disc_corners_mm": []}, {"vertebrae": [{"level": []}]}])
def test_load_of_wrong_types_names_the_file(tmp_path, values):
    path = tmp_path / "vertebrae.json"
    path.write_text(json.dumps(_content(**values)))
    with pytest.raises(ValueError, match=r"vertebrae\.json: "):
        vertebrae.load(str(path))


@pytest.mark.real_data
def test_the_real_study_is_annotated_from_t12_to_s1():
    (annotation,) = vertebrae.load(str(_DATA / "lumbar_study" / "vertebrae.json"))
    assert tuple(v.level for v in annotation.vertebrae) == levels.LUMBAR_VERTEBRAE
    # Hand-marked bodies of an adult: 15 to 50 mm deep and high.
    for vertebra in annotation.vertebrae:
        edges_mm = np.linalg.norm(np.roll(vertebra.corners_mm, -1, 0) - vertebra.corners_mm, axis=1)
        assert np.all((edges_mm > 15) & (edges_mm < 50))


def test_a_known_level():
    assert _vertebra("L5", 0).known_level is levels.VertebraLevel.L5
    with pytest.raises(ValueError, match="`level` must be known, got a body without a level"):
        _ = vertebrae.Vertebra(None, _quad(0)).known_level


def test_the_least_sure_body_is_one_with_a_probability():
    sure, unsure = _vertebra("L4", 36, probability=0.9), _vertebra("L5", 0, probability=0.4)
    body, probability = vertebrae.least_sure([_vertebra("L3", 72), sure, unsure])
    assert body is unsure and probability == 0.4
    with pytest.raises(ValueError):
        vertebrae.least_sure([_vertebra("L3", 72)])
