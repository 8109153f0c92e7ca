"""Tests of export.saliency."""

import numpy as np

from export import saliency, saved_model


class Model:
    """Two grades; that of 1 has a probability of 0.9 minus 8 times what is bright at one pixel."""

    gradings = (saved_model.GradingInfo("modic", "Modic type", (0, 1), ()),)

    def run(self, signature, crops):
        assert signature == "serving_default"
        one = 0.9 - 0.8 * (crops[:, 1, 2, 5] - 0.3)
        return {"modic_probabilities": np.stack([1 - one, one], 1)}


def test_what_is_covered_matters_only_where_the_model_looks():
    crop = np.full((3, 4, 16), 0.3, np.float32)  # a patch is 2 x 2, at steps of 1
    (found,) = saliency.occlusion(Model(), crop[None])["modic"]
    assert found.shape == (4, 16) and found.dtype == np.float32
    # Covering raises the pixel from 0.3 to 0.5 and takes 0.8 * 0.2 = 0.16. Four patches cover it,
    # and all four of them hold the pixel itself; its neighbour beside shares 2 of 4.
    np.testing.assert_allclose(found[2, 5], 0.16, atol=1e-6)
    np.testing.assert_allclose(found[2, 6], 0.08, atol=1e-6)
    np.testing.assert_allclose(found[1, 4], 0.04, atol=1e-6)
    # Row 3 is the last: two patches cover (3, 5), both with the pixel.
    np.testing.assert_allclose(found[3, 5], 0.16, atol=1e-6)
    far = np.ones((4, 16), bool)
    far[1:4, 4:7] = False
    assert np.all(found[far] == 0)


def test_patches_reach_every_edge():
    # 7 x 9 pixels, patches of 4 at steps of 2: starts 0, 2, 3 and 0, 2, 4, 5.
    patches = saliency._patches(7, 36)
    assert saliency.patch_pixels(36) == 4
    assert {rows.start for rows, _ in patches} == {0, 2, 3}
    assert max(columns.stop for _, columns in patches) == 36
