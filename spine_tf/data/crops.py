"""Crops of vertebral bodies and discs, cut from a scan in one warp.

TensorFlow code, so that conversion and an exported model cut the same pixels. A crop is depth
first, [slices, rows, columns]: slices run right to left, rows along the body or disc from head to
foot, columns from front to back. Source: Jamaludin 2017, section 2; methods 1.2.
"""

import dataclasses

import tensorflow as tf

from spine_tf.data import intensity

NUM_SLICES = 9  # what the networks see
STORED_SLICES = 15  # what records hold, so that augmentation reads real pixels
NETWORK_COLUMNS = 224  # of a body or disc at scale 1
IMAGE_STEP = 32  # rows and columns of plain images are multiples of it
MIN_SLICE_PITCH_MM = 4.0
MEDIAN_INTENSITY = 0.5
MAX_INTENSITY = 2.0


@dataclasses.dataclass(frozen=True)
class CropKind:
    """How one anatomy is cropped, at scale 1, or how plain images are stored.

    Attributes:
        name: "vertebra", "disc" or "image".
        rows: Rows of the network's input.
        columns: Columns of the network's input.
        stored_rows: Rows of a record.
        stored_columns: Columns of a record.
        pixels_per_width: Crop pixels over the width of the body or disc; 0 of plain images.
        num_slices: Slices of the network's input.
        stored_slices: Slices of a record.
    """

    name: str
    rows: int
    columns: int
    stored_rows: int
    stored_columns: int
    pixels_per_width: float
    num_slices: int = NUM_SLICES
    stored_slices: int = STORED_SLICES

    def stored_shape(self, scale: float) -> tuple[int, int, int]:
        """[slices, rows, columns] of a record at `scale`."""
        rows, columns = round(self.stored_rows * scale), round(self.stored_columns * scale)
        return (self.stored_slices, rows, columns)

    def network_shape(self, scale: float) -> tuple[int, int, int]:
        """[slices, rows, columns] of the network's input at `scale`."""
        return (self.num_slices, round(self.rows * scale), round(self.columns * scale))


VERTEBRA = CropKind("vertebra", 224, NETWORK_COLUMNS, 320, 320, 112.0)
DISC = CropKind("disc", 112, NETWORK_COLUMNS, 192, 320, 113.5)
KINDS = {kind.name: kind for kind in (VERTEBRA, DISC)}


def image_kind(rows: int, columns: int) -> CropKind:
    """Returns how plain 2-D images are stored whose network input has a size.

    A stored image is an eighth larger than the network's input: the network sees the middle, and
    augmentation also what lies around it.

    Args:
        rows: Rows of the network's input at scale 1.
        columns: Its columns.

    Raises:
        ValueError: If one is not a multiple of IMAGE_STEP, so that no scale cuts a pixel.
    """
    for name, value in (("image_rows", rows), ("image_columns", columns)):
        if value < IMAGE_STEP or value % IMAGE_STEP:
            raise ValueError(f"`{name}` must be a multiple of {IMAGE_STEP}, got {value!r}.")
    return CropKind(
        name="image",
        rows=rows,
        columns=columns,
        stored_rows=rows + rows // 8,
        stored_columns=columns + columns // 8,
        pixels_per_width=0.0,
        num_slices=1,
        stored_slices=1,
    )


def disc_corners_mm(upper: tf.Tensor, lower: tf.Tensor) -> tf.Tensor:
    """Returns the quad between two vertebrae.

    Args:
        upper: [..., 4, 3] corners of the vertebra above, in `vertebrae.CORNER_ORDER`.
        lower: [..., 4, 3] corners of the vertebra below.

    Returns:
        [..., 4, 3] lower edge of the upper body and upper edge of the lower body, same order.
    """
    return tf.concat(
        [upper[..., 3:4, :], upper[..., 2:3, :], lower[..., 1:2, :], lower[..., 0:1, :]], -2
    )


def to_index(affine: tf.Tensor, points_mm: tf.Tensor) -> tf.Tensor:
    """Maps [..., 3] mm to float32 (slice, row, column) indices; `affine` is [4, 4] float64."""
    affine = tf.cast(affine, tf.float64)
    offset = tf.cast(points_mm, tf.float64) - affine[:3, 3]
    inverse = tf.linalg.inv(affine[:3, :3])
    return tf.cast(tf.linalg.matvec(inverse, offset), tf.float32)


def mid_slices(corners_index: tf.Tensor) -> tf.Tensor:
    """Returns the mid-slice [...] float32, a whole number, of quads [..., 4, 3] in indices."""
    return tf.round(tf.reduce_mean(corners_index[..., 0], -1))


def frame(
    corners_index: tf.Tensor, spacing_mm: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the frame of quads inside their slice: centre, direction and width.

    Args:
        corners_index: [n, 4, 3] float32 corners as (slice, row, column).
        spacing_mm: [3] float32 distance between slices, rows and columns.

    Returns:
        centre_mm [n, 2] as (row, column) in mm, direction [n, 2] the unit vector from front to
        back averaged over the two edges, and width_mm [n], the mean length of the two edges.
    """
    plane_mm = corners_index[..., 1:] * spacing_mm[1:]  # [n, 4, 2]
    edges_mm = tf.stack([plane_mm[:, 1] - plane_mm[:, 0], plane_mm[:, 2] - plane_mm[:, 3]], 1)
    lengths_mm = tf.norm(edges_mm, axis=-1)  # [n, 2]
    direction = tf.reduce_sum(tf.math.divide_no_nan(edges_mm, lengths_mm[..., None]), 1)
    direction = tf.math.l2_normalize(direction, -1)
    return tf.reduce_mean(plane_mm, 1), direction, tf.reduce_mean(lengths_mm, 1)


def slice_indices(mid: tf.Tensor, slice_spacing_mm: tf.Tensor, num_slices: int) -> tf.Tensor:
    """Returns the nearest slices [n, num_slices] int32 to a grid of the slice pitch around `mid`.

    The pitch is the scan's own spacing, but at least `MIN_SLICE_PITCH_MM`. Indices may lie
    outside the scan.
    """
    steps = tf.range(num_slices, dtype=tf.float32) - (num_slices - 1) / 2
    pitch_mm = tf.maximum(slice_spacing_mm, MIN_SLICE_PITCH_MM)
    offsets = tf.round(steps * pitch_mm / slice_spacing_mm)
    return tf.cast(mid[:, None] + offsets, tf.int32)


def sample(
    volume: tf.Tensor,
    spacing_mm: tf.Tensor,
    centre_mm: tf.Tensor,
    direction: tf.Tensor,
    mm_per_pixel: tf.Tensor,
    slices: tf.Tensor,
    size: tuple[int, int],
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Samples one crop: nearest slice, bilinear inside the slice, zero outside the scan.

    Args:
        volume: [slices, rows, columns], any real type.
        spacing_mm: [3] float32.
        centre_mm: [2] float32 (row, column) of the crop's centre inside the slice.
        direction: [2] float32 unit vector (row, column) along the crop's columns.
        mm_per_pixel: Scalar float32.
        slices: [s] int32 slice indices, which may lie outside the scan.
        size: (rows, columns) of the crop.

    Returns:
        crop [s, rows, columns] float32, slice_is_valid [s] bool, pixel_is_valid [rows, columns]
        bool.
    """
    shape = tf.shape(volume)
    right = (tf.range(size[1], dtype=tf.float32) - (size[1] - 1) / 2)[None, :] * mm_per_pixel
    down = (tf.range(size[0], dtype=tf.float32) - (size[0] - 1) / 2)[:, None] * mm_per_pixel
    # The crop's rows run along the direction turned by a right angle, towards the foot.
    row = (centre_mm[0] + right * direction[0] + down * direction[1]) / spacing_mm[1]
    column = (centre_mm[1] + right * direction[1] - down * direction[0]) / spacing_mm[2]
    last_row, last_column = shape[1] - 1, shape[2] - 1
    pixel_is_valid = (
        (row >= 0)
        & (row <= tf.cast(last_row, tf.float32))
        & (column >= 0)
        & (column <= tf.cast(last_column, tf.float32))
    )
    slice_is_valid = (slices >= 0) & (slices < shape[0])
    planes = tf.gather(volume, tf.clip_by_value(slices, 0, shape[0] - 1))  # [s, R, C]
    flat = tf.reshape(planes, [tf.size(slices), -1])
    row0 = tf.clip_by_value(tf.cast(tf.floor(row), tf.int32), 0, last_row)
    column0 = tf.clip_by_value(tf.cast(tf.floor(column), tf.int32), 0, last_column)
    row1, column1 = tf.minimum(row0 + 1, last_row), tf.minimum(column0 + 1, last_column)
    row_part, column_part = row - tf.cast(row0, tf.float32), column - tf.cast(column0, tf.float32)

    def at(rows, columns):
        return tf.cast(tf.gather(flat, rows * shape[2] + columns, axis=1), tf.float32)

    top = at(row0, column0) * (1 - column_part) + at(row0, column1) * column_part
    bottom = at(row1, column0) * (1 - column_part) + at(row1, column1) * column_part
    crop = top * (1 - row_part) + bottom * row_part
    valid = slice_is_valid[:, None, None] & pixel_is_valid
    return tf.where(valid, crop, 0.0), slice_is_valid, pixel_is_valid


def crop(
    volume: tf.Tensor,
    affine: tf.Tensor,
    corners_mm: tf.Tensor,
    mids: tf.Tensor,
    references_mm: tf.Tensor,
    *,
    kind: CropKind,
    scale: float,
    shape: tuple[int, int, int],
) -> dict[str, tf.Tensor]:
    """Cuts and normalises the crops of one scan.

    Args:
        volume: [slices, rows, columns] canonical sagittal scan, any real type.
        affine: [4, 4] float64, index to LPS mm.
        corners_mm: [n, 4, 3] quads to crop.
        mids: [n] float32 mid-slice index of each crop, a whole number.
        references_mm: [n, 2, 4, 3] quads of the vertebral bodies whose median becomes 0.5; give
            the same one twice where there is one only.
        kind: VERTEBRA or DISC.
        scale: 1 or 0.5, times `kind.pixels_per_width`.
        shape: [slices, rows, columns] of a crop.

    Returns:
        image [n, *shape] float32 in [0, 2], slice_is_valid [n, slices] bool, pixel_is_valid [n,
        rows, columns] bool, median [n], width_mm [n], angle_deg [n] float32. The image is NaN where
        no voxel lies inside the references or their median is not positive.

    Source: Jamaludin 2017, section 2; methods 1.2.
    """
    spacing_mm = tf.cast(tf.norm(tf.cast(affine, tf.float64)[:3, :3], axis=0), tf.float32)
    corners_index = to_index(affine, corners_mm)
    references_index = to_index(affine, references_mm)
    centre_mm, direction, width_mm = frame(corners_index, spacing_mm)
    mm_per_pixel = width_mm / (kind.pixels_per_width * scale)
    slices = slice_indices(mids, spacing_mm[0], shape[0])

    def one(item):
        centre, along, pixel_mm, planes, references = item
        image, slice_is_valid, pixel_is_valid = sample(
            volume, spacing_mm, centre, along, pixel_mm, planes, shape[1:]
        )
        median = intensity.median_inside(volume, references, mid_slices(references))
        median = tf.where(median > 0, median, float("nan"))
        image = tf.clip_by_value(image * (MEDIAN_INTENSITY / median), 0.0, MAX_INTENSITY)
        return image, slice_is_valid, pixel_is_valid, median

    image, slice_is_valid, pixel_is_valid, median = tf.map_fn(
        one,
        (centre_mm, direction, mm_per_pixel, slices, references_index),
        fn_output_signature=(
            tf.TensorSpec(shape, tf.float32),
            tf.TensorSpec(shape[:1], tf.bool),
            tf.TensorSpec(shape[1:], tf.bool),
            tf.TensorSpec([], tf.float32),
        ),
    )
    return {
        "image": image,
        "slice_is_valid": slice_is_valid,
        "pixel_is_valid": pixel_is_valid,
        "median": median,
        "width_mm": width_mm,
        "angle_deg": tf.atan2(direction[:, 0], direction[:, 1]) * (180 / 3.141592653589793),
    }


def crop_vertebrae(
    volume: tf.Tensor,
    affine: tf.Tensor,
    corners_mm: tf.Tensor,
    *,
    scale: float,
    stored: bool = True,
) -> dict[str, tf.Tensor]:
    """Crops every vertebra of a column given from head to foot without gaps.

    The median of a body comes from its upper and lower neighbours; at the ends from the only one.

    Args:
        volume: [slices, rows, columns].
        affine: [4, 4] float64.
        corners_mm: [n, 4, 3] quads, neighbours in the array are neighbours in the spine; n >= 2.
        scale: 1 or 0.5.
        stored: Whether to cut the larger crop that records hold.

    Returns:
        What `crop` returns, n crops.
    """
    count = tf.shape(corners_mm)[0]
    above = tf.maximum(tf.range(count) - 1, 0)
    below = tf.minimum(tf.range(count) + 1, count - 1)
    above = tf.where(tf.range(count) == 0, below, above)
    below = tf.where(tf.range(count) == count - 1, above, below)
    references = tf.gather(corners_mm, tf.stack([above, below], 1))
    return crop(
        volume,
        affine,
        corners_mm,
        mid_slices(to_index(affine, corners_mm)),
        references,
        kind=VERTEBRA,
        scale=scale,
        shape=VERTEBRA.stored_shape(scale) if stored else VERTEBRA.network_shape(scale),
    )


def crop_discs(
    volume: tf.Tensor,
    affine: tf.Tensor,
    upper_mm: tf.Tensor,
    lower_mm: tf.Tensor,
    *,
    scale: float,
    stored: bool = True,
) -> dict[str, tf.Tensor]:
    """Crops the disc between each pair of neighbouring vertebrae.

    Args:
        volume: [slices, rows, columns].
        affine: [4, 4] float64.
        upper_mm: [n, 4, 3] quads of the vertebrae above.
        lower_mm: [n, 4, 3] quads of the vertebrae below.
        scale: 1 or 0.5.
        stored: Whether to cut the larger crop that records hold.

    Returns:
        What `crop` returns, n crops.
    """
    upper_mid = mid_slices(to_index(affine, upper_mm))
    lower_mid = mid_slices(to_index(affine, lower_mm))
    return crop(
        volume,
        affine,
        disc_corners_mm(upper_mm, lower_mm),
        tf.round((upper_mid + lower_mid) / 2),
        tf.stack([upper_mm, lower_mm], 1),
        kind=DISC,
        scale=scale,
        shape=DISC.stored_shape(scale) if stored else DISC.network_shape(scale),
    )


def crop_marked_discs(
    volume: tf.Tensor,
    affine: tf.Tensor,
    disc_mm: tf.Tensor,
    neighbour_mm: tf.Tensor,
    *,
    scale: float,
) -> dict[str, tf.Tensor]:
    """Crops discs that have a quad of their own and one labelled neighbour; see `crop_discs`.

    Args:
        volume: [slices, rows, columns].
        affine: [4, 4] float64.
        disc_mm: [n, 4, 3] quads of the discs.
        neighbour_mm: [n, 4, 3] quads of the neighbour whose median becomes 0.5.
        scale: 1 or 0.5.

    Returns:
        What `crop` returns, n crops as stored in records.
    """
    return crop(
        volume,
        affine,
        disc_mm,
        mid_slices(to_index(affine, disc_mm)),
        tf.stack([neighbour_mm, neighbour_mm], 1),
        kind=DISC,
        scale=scale,
        shape=DISC.stored_shape(scale),
    )


def reduce_scale(image: tf.Tensor, factor: int) -> tf.Tensor:
    """Averages [..., rows, columns] float32 over blocks of `factor` by `factor` pixels.

    Rows and columns are known when the graph is made; the axes before them need not be.
    """
    if factor == 1:
        return image
    rows, columns = image.shape[-2] // factor, image.shape[-1] // factor
    blocks = tf.concat([tf.shape(image)[:-2], [rows, factor, columns, factor]], 0)
    return tf.reduce_mean(tf.reshape(image, blocks), [-3, -1])
