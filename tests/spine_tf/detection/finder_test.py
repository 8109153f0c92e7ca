import json

import numpy as np
import pytest

from spine_tf import vertebrae, volume
from spine_tf.detection import candidates, detector, domain, finder
from tests import tiny_export

MEASURES = domain.Measures(0.9, 35.0, 1.0, 1.0, 0.8, 1.5)


def _scan(value=None):
    scan = tiny_export.make_volume()
    array = scan.array if value is None else np.full_like(scan.array, value)
    return volume.Volume(array, scan.affine)


@pytest.fixture
def seen(monkeypatch):
    """Lets the network see the bodies of `tiny_export`; returns how to change what it measures."""
    bodies = []
    for body in tiny_export.make_annotation().vertebrae:
        opinion = np.full(len(candidates.LEVELS), 1e-4)
        opinion[candidates.LEVELS.index(body.level.value)] = 1
        log = np.log(opinion / opinion.sum())
        bodies.append(candidates.Candidate(body.corners_mm, (2, 8), 0.9, log))

    def change(measures=MEASURES, count=None):
        found = detector.Detection(tuple(bodies[:count]), (), measures)
        monkeypatch.setattr(detector, "detect", lambda *_: found)

    change()
    return change


def _find(scan=None):
    return finder.Finder(None, "a test").find(scan or _scan(), "1.2")


def test_out_of_domain_is_never_named(seen):
    seen(MEASURES.__class__(0.9, 35.0, 1.0, 1.0, -0.5, 1.5))
    found = _find()
    assert not found.is_answered and not found.is_in_domain
    assert "not T2" in found.annotation.reason
    assert {body.level for body in found.annotation.vertebrae} == {None}
    assert found.to_json()["domain_score"] == -5


def test_too_few_bodies_are_unknown_but_in_domain(seen):
    seen(count=2)
    found = _find()
    assert found.is_in_domain and not found.is_answered


@pytest.mark.parametrize("scan", [_scan(0), volume.Volume(_scan().array[:3], _scan().affine)])
def test_what_shows_nothing_is_not_looked_at(scan):
    found = _find(scan)
    assert found.annotation.vertebrae == () and found.labelled is None
    assert found.annotation.reason.startswith("out of domain: ")
    assert not found.is_in_domain


def test_the_file_keeps_the_scores(seen):
    content = json.loads(json.dumps(_find().to_json()))
    assert content["source"] == "a test" and content["series_instance_uid"] == "1.2"
    assert content["measures"]["canal_to_body"] == 0.8
    assert set(content["number_of_lumbar"]) == {"4", "5", "6"}
    assert all("probability" in body for body in content["vertebrae"])
    again = vertebrae.parse(content, allow_unknown=True)
    assert again.status == content["status"]


def test_the_weights_of_the_package_load_and_see_nothing_in_noise():
    found = finder.load_packed(finder.WEIGHTS, "builtin").find(_scan())
    assert not found.is_answered
    assert "out of domain" in found.annotation.reason
