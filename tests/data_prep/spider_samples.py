"""A tiny SPIDER folder: blocks for bodies, with pedicles and spinous processes behind a canal."""

import numpy as np
import SimpleITK as sitk

from spine_tf import geometry

SLICES, ROWS, COLUMNS = 9, 100, 60
SPACING_MM = (2.0, 1.0, 1.0)
# Body of vertebra n (L5 = 1): 14 rows high, 20 columns deep, upwards from row 60.
BODY_COLUMNS = (10, 30)
CANAL_COLUMNS = (31, 37)
NUM_VERTEBRAE = 3


def body_rows(number):
    """First row and the row after the last."""
    return 60 - 20 * (number - 1), 74 - 20 * (number - 1)


def make_mask() -> np.ndarray:
    """[slices, rows, columns] uint8, SPIDER's numbering, vertebrae L5 to L3, discs below them."""
    mask = np.zeros((SLICES, ROWS, COLUMNS), np.uint8)
    for number in range(1, NUM_VERTEBRAE + 1):
        top, bottom = body_rows(number)
        mask[:, top:bottom, BODY_COLUMNS[0] : BODY_COLUMNS[1]] = number
        mask[:, top + 4 : bottom + 4, 40:50] = number  # spinous process
        mask[[0, -1], top + 4 : bottom - 4, 28:42] = number  # pedicles
        mask[:, bottom : bottom + 6, BODY_COLUMNS[0] : BODY_COLUMNS[1]] = 200 + number
    mask[1:-1, :, CANAL_COLUMNS[0] : CANAL_COLUMNS[1]] = 100
    return mask


def make_affine() -> np.ndarray:
    """Canonical: slices to the left, rows to the foot, columns to the back."""
    steps_mm = np.diag(SPACING_MM)[:, [0, 2, 1]] * [1, 1, 1]
    return geometry.affine_from_axes(
        steps_mm[0], [0, 0, -SPACING_MM[1]], [0, SPACING_MM[2], 0], [-8.0, 5.0, 90.0]
    )


def write_image(path, array, affine) -> None:
    """Writes [slices, rows, columns] as SimpleITK does."""
    image = sitk.GetImageFromArray(array)
    directions = affine[:3, :3] / geometry.spacing_mm(affine)
    image.SetSpacing([float(mm) for mm in geometry.spacing_mm(affine)[::-1]])
    image.SetDirection(directions[:, ::-1].ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    sitk.WriteImage(image, str(path))


def write_folder(folder, names, extension=".mha") -> None:
    """Writes SPIDER's layout for images such as `1_t2`, and gradings for each patient."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    mask, affine = make_mask(), make_affine()
    image = (mask.astype(np.uint16) % 7) * 10 + 50
    rows = [
        "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,"
        "Disc narrowing,Disc bulging,Pfirrman grade"
    ]
    for name in names:
        write_image(folder / "images" / f"{name}{extension}", image, affine)
        write_image(folder / "masks" / f"{name}{extension}", mask, affine)
    for patient in sorted({name.split("_")[0] for name in names}):
        rows += [f"{patient},{disc},0,1,0,0,0,1,1,{disc + 1}" for disc in (1, 2, 3)]
    (folder / "radiological_gradings.csv").write_text("\n".join(rows) + "\n")
