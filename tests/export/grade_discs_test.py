import types

import numpy as np
import pytest

from export import grade_discs, saved_model
from spine_tf import serving
from tests import tiny_export


class _Refusing:
    """A model that refuses what one of its signatures is asked."""

    gradings = ()

    def __init__(self, refused):
        self.refused = refused

    def run(self, signature, **inputs):
        if signature == self.refused:
            raise saved_model.InputError("`crops` must be finite")
        return {"disc": np.array([b"L4-L5"]), "crops": np.zeros((1, 3, 20, 40), np.float32)}


@pytest.mark.parametrize("signature", [serving.SCAN, serving.DEFAULT])
def test_what_the_graph_refuses_names_the_series(signature):
    found = types.SimpleNamespace(
        volume=tiny_export.make_volume(),
        annotation=tiny_export.make_annotation(names=("L4", "L5")),
        series=types.SimpleNamespace(paths=("study/1.dcm",), uid="1.2.3"),
    )
    with pytest.raises(ValueError, match=r"study \(1\.2\.3\): `crops` must be finite\."):
        grade_discs.grade(_Refusing(signature), found, with_saliency=True)
