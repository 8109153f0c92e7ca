"""A detector that looks at no image, for tests of what is done with its answers."""

import dataclasses

from spine_tf import vertebrae
from spine_tf.detection import domain, finder, labelling
from tests import tiny_export


def answered(uid):
    """The bodies of `tiny_export`, each with a probability."""
    made = tiny_export.make_annotation(uid)
    bodies = tuple(dataclasses.replace(body, probability=0.95) for body in made.vertebrae)
    return finder.Found(dataclasses.replace(made, vertebrae=bodies, source="stub"))


def unknown(uid, reason="a tie"):
    """The same without levels."""
    bodies = tuple(
        dataclasses.replace(body, level=None, probability=0.9)
        for body in tiny_export.make_annotation(uid).vertebrae
    )
    made = vertebrae.Annotation(
        bodies, series_instance_uid=uid, source="stub", status=vertebrae.UNKNOWN, reason=reason
    )
    return finder.Found(made)


def unknown_in_domain(uid):
    """A lumbar T2 whose levels are a tie."""
    labelled = labelling.label([])
    measures = domain.Measures(0.9, 35.0, 1.0, 1.0, 0.8, 1.5)
    return dataclasses.replace(unknown(uid), measures=measures, labelled=labelled)


class Finder:
    """Answers, or says what `answers` has for the UID of a series."""

    def __init__(self, **answers):
        self.answers = answers

    def find(self, scan, uid=None):
        """As `finder.Finder.find`; a volume that shows nothing is unknown, too."""
        problem = domain.unfit(scan)
        if problem:
            return unknown(uid, f"out of domain: {problem}")
        return self.answers.get(uid, answered)(uid)
