import dataclasses

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial import transform

from data_prep import rejection, volume_file
from tests.data_prep import spider_samples, volume_samples


def _write(path, array, affine):
    spider_samples.write_image(path, array, affine)
    return volume_file.read(str(path))


def test_voxels_come_in_canonical_order(tmp_path):
    image, affine = volume_samples.make_image(), volume_samples.make_affine()
    found = _write(tmp_path / "a.nii.gz", image, affine)
    np.testing.assert_array_equal(found.array, image)
    np.testing.assert_allclose(found.affine, affine, atol=1e-4)
    assert found.view == "sagittal"
    # The same voxels, stored as axial slices from foot to head.
    turned = np.ascontiguousarray(np.transpose(image, (1, 2, 0))[::-1])
    columns = affine[:, [1, 2, 0, 3]]
    columns[:3, 3] += (len(turned) - 1) * columns[:3, 0]
    columns[:3, 0] *= -1
    again = _write(tmp_path / "b.mha", turned, columns)
    np.testing.assert_array_equal(again.array, image)
    assert again.view == "axial" and volume_file.on_one_grid(found, again)


def test_what_cannot_be_read(tmp_path):
    image = volume_samples.make_image().astype(np.float32)
    affine = volume_samples.make_affine()
    (tmp_path / "text.nii.gz").write_text("no image")
    cannot, no_numbers = "cannot be read as a 3-D image", "no finite numbers"
    expected = [("text.nii.gz", cannot), ("no.mha", cannot), ("no.nii.gz", cannot)]
    for value in (np.nan, np.inf):
        image[0, 0, 0] = value
        for ending in (".mha", ".nii", ".nii.gz"):  # ITK makes 0 of it in the latter
            name = f"{value}{ending}"
            spider_samples.write_image(tmp_path / name, image, affine)
            expected.append((name, no_numbers))
    for name, reason in expected:
        with pytest.raises(rejection.RejectedInput, match=f"{name}: .*{reason}"):
            volume_file.read(str(tmp_path / name))


def test_a_nifti_without_a_spacing(tmp_path):
    image = nibabel.Nifti1Image(np.ones((3, 4, 5), np.int16), np.eye(4))
    nibabel.save(image, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[88:92] = bytes(4)  # pixdim[3], which nibabel would not write
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(
        rejection.RejectedInput, match=r"a.nii: its spacing .* must be above 0 mm, got 1x1x0;"
    ):
        volume_file.read(str(tmp_path / "a.nii"))


def test_a_sheared_nifti_is_to_be_resampled(tmp_path):
    affine = np.eye(4)
    affine[0, 1] = 0.1
    nibabel.save(nibabel.Nifti1Image(np.ones((3, 4, 5), np.int16), affine), tmp_path / "a.nii")
    with pytest.raises(rejection.RejectedInput, match="resample it to axes at right angles"):
        volume_file.read(str(tmp_path / "a.nii"))


def test_a_grid_that_is_turned_about_its_diagonal_is_another(tmp_path):
    """Two opposite corners stay where they are."""
    one = _write(tmp_path / "a.nii.gz", np.zeros((40, 40, 40), np.int16), np.eye(4))
    diagonal = one.affine[:3, :3].sum(1)
    turn = transform.Rotation.from_rotvec(np.radians(30) * diagonal / np.linalg.norm(diagonal))
    affine = np.copy(one.affine)
    affine[:3, :3] = turn.as_matrix() @ affine[:3, :3]
    other = dataclasses.replace(one, affine=affine)
    assert not volume_file.on_one_grid(one, other)
    assert volume_file.cut(one, other) is None
    assert volume_file.on_one_grid(one, one) and volume_file.cut(one, one) is not None


def test_what_is_no_volume_of_grey_values(tmp_path):
    four = np.zeros((2, 3, 4, 5), np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(four, isVector=False), str(tmp_path / "time.nii.gz"))
    colour = np.zeros((4, 5, 6, 3), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(colour, isVector=True), str(tmp_path / "rgb.mha"))
    for name, reason in (
        ("time.nii.gz", "has 4 dimensions, not 3; give one volume a file"),
        ("rgb.mha", "has 3 values a voxel, not 1"),
    ):
        with pytest.raises(rejection.RejectedInput, match=f"{name}: {reason}"):
            volume_file.read(str(tmp_path / name))


def test_a_grid_in_words(tmp_path):
    affine = volume_samples.make_affine((4.0, 0.3, 0.5))
    one = _write(tmp_path / "a.nii.gz", np.zeros((3, 4, 5), np.float32), affine)
    at_mm = ", ".join(f"{at:.1f}" for at in affine[:3, 3])
    assert volume_file.grid_text(one) == f"3x4x5 voxels of 4x0.3x0.5 mm from ({at_mm}) mm"


@pytest.mark.parametrize(
    ("shift_mm", "is_same"),
    [((0, 0, 0), True), ((0, 0.14, 0), True), ((0, 0.2, 0), False), ((0.9, 0, 0), True)],
)
def test_one_grid_is_told_by_the_voxel(tmp_path, shift_mm, is_same):
    # Pixels of 0.3 mm: a map that lies 0.9 mm off is three pixels off. Slices are 4 mm apart.
    affine = volume_samples.make_affine((4.0, 0.3, 0.3))
    one = _write(tmp_path / "a.nii.gz", volume_samples.make_image(), affine)
    assert volume_file.on_one_grid(one, volume_file.shifted(one, shift_mm)) == is_same
    assert not volume_file.on_one_grid(one, volume_file.shifted(one, (1.1, 0, 0)))  # over 1 mm


def test_a_part_is_cut_where_it_lies(tmp_path):
    image, affine = volume_samples.make_image(), volume_samples.make_affine()
    whole = _write(tmp_path / "whole.nii.gz", image, affine)
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ [1, 2, 3]
    part = _write(tmp_path / "part.nii.gz", image[1:3, 2:6, 3:], moved)
    found = volume_file.cut(whole, part)
    np.testing.assert_array_equal(found.array, image[1:3, 2:6, 3:])
    assert volume_file.on_one_grid(found, part) and not volume_file.on_one_grid(whole, part)
    # One voxel to the left it sticks out; by half a voxel it lies between voxels.
    assert volume_file.cut(whole, volume_file.shifted(part, [6, 0, 0])) is None
    assert volume_file.cut(whole, volume_file.shifted(part, [0, 0, 0.5])) is None
    back = volume_file.cut(whole, volume_file.shifted(part, [-3, 0, 0]))
    np.testing.assert_array_equal(back.array, image[:2, 2:6, 3:])
