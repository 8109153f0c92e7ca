"""Shapes of the five organs in the body frame, as signed distances."""

from collections.abc import Callable

import numpy as np

from spine_tf.organ_phantom import patient as patient_lib
from spine_tf.organ_phantom import solids

_TURNS_DEG = {  # usual pose: kidneys lean towards the spine with their upper poles
    "left kidney": (-10, 9, 25),
    "right kidney": (-10, -9, -25),
    "spleen": (-25, 12, -20),
}


def distances_mm(space: solids.Space, who: patient_lib.Patient) -> dict[str, np.ndarray]:
    """Returns organ -> signed distance to its surface, positive inside, without its neighbours.

    Args:
        space: Points in the body frame.
        who: The patient; organs that were removed are left out.
    """
    return {name: _SHAPES[name](_frame(space, who, name), who) for name in who.organs}


def _frame(space: solids.Space, who: patient_lib.Patient, name: str) -> solids.Space:
    organ = who.organs[name]
    turns_deg = np.add(_TURNS_DEG.get(name, (0, 0, 0)), organ.turns_deg)
    return space.local(organ.centre_mm, turns_deg).stretched(organ.size)


def _kidney(side: int) -> Callable[[solids.Space, patient_lib.Patient], np.ndarray]:
    def shape(space: solids.Space, who: patient_lib.Patient) -> np.ndarray:
        """A bean, its hilum towards the spine."""
        del who
        body = solids.ellipsoid(space, (29, 26, 55))
        hilum = solids.ellipsoid(space.local((-29.0 * side, -5, 0)), (15, 11, 18))
        return np.minimum(body, -hilum)

    return shape


def _pancreas(space: solids.Space, who: patient_lib.Patient) -> np.ndarray:
    """A bent tube from the head over the spine to the spleen."""
    del who
    points = [
        (-40, 4, -24),
        (-36, -2, -10),
        (-16, -14, 2),
        (10, -16, 8),
        (38, -2, 18),
        (66, 18, 30),
    ]
    return solids.tube(space, points, (11, 15, 11, 8.5, 9.5, 8))


def _liver(space: solids.Space, who: patient_lib.Patient) -> np.ndarray:
    """Both lobes, cut by a slanted lower face with a dent for the gall bladder."""
    right = solids.ellipsoid(space, (66, 80, 82))
    reach = np.float32(74 * who.left_lobe)
    left = solids.ellipsoid(space.local((64, -36, 24), (0, -14, 0)), (reach, 40, 36))
    both = solids.joined(right, left, 12.0)
    below = space.z + 46 - 0.42 * np.maximum(space.x + 30, -40) - 0.25 * space.y
    dent = solids.ellipsoid(space.local((24, -20, -42)), (22, 30, 34))
    return np.minimum(np.minimum(both, below * np.float32(0.88)), -dent)


def _spleen(space: solids.Space, who: patient_lib.Patient) -> np.ndarray:
    """A thick shell, hollow towards the stomach."""
    del who
    body = solids.ellipsoid(space, (32, 54, 56))
    hollow = solids.ellipsoid(space.local((-38, -16, 0)), (30, 44, 46))
    return np.minimum(body, -hollow)


_SHAPES = {
    "left kidney": _kidney(1),
    "right kidney": _kidney(-1),
    "pancreas": _pancreas,
    "liver": _liver,
    "spleen": _spleen,
}
