"""A straight column of square bodies and the maps that a network that knows it would give."""

import numpy as np

from spine_tf import geometry
from spine_tf.detection import slices, targets

PIXEL_MM = slices.SPACING_MM
AFFINE = geometry.affine_from_axes([4, 0, 0], [0, 0, -PIXEL_MM], [0, PIXEL_MM, 0], [-8, 0, 0])
SHAPE = (5, 128, 64)
# Bodies of 20 x 24 pixels, 8 pixels between them: L4, L5 and S1.
QUADS = {
    targets.CLASSES.index(name): np.array(
        [[top, 20], [top, 44], [top + 20, 44], [top + 20, 20]], float
    )
    for name, top in (("L4", 10), ("L5", 38), ("S1", 66))
}


def sliced():
    """Slices that show nothing."""
    return slices.Slices(np.zeros(SHAPE, np.float32), AFFINE)


def output(shown=range(1, 4)):
    """[slices, rows, columns, channels] of a network: bodies in some slices."""
    found = np.zeros((*SHAPE, len(targets.CLASSES) + targets.NUM_OFFSETS), np.float32)
    found[..., targets.BACKGROUND] = 10
    grid = np.stack(np.mgrid[: SHAPE[1], : SHAPE[2]], -1)
    for number, quad in QUADS.items():
        inside = targets.inside(quad, SHAPE[1:])
        offsets = (quad - grid[:, :, None]) / targets.OFFSET_PIXELS
        for position in shown:
            found[position, inside, number] = 20
            found[position, inside, len(targets.CLASSES) :] = offsets[inside].reshape(-1, 8)
    return found
