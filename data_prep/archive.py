"""Where studies come from: a folder, a DICOMDIR, a zip file, a DICOMweb server, or s3:// and such.

Each image has a name that is a path or reads like one: FOLDER/FILE, ARCHIVE.zip/MEMBER, or an
address. What is not a file of this machine is written to a temporary folder, which only its owner
can read, while it is looked at: one image for its header, one series for its pixels.
"""

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence

from data_prep import (
    annotations,
    dicom,
    dicom_header,
    dicomdir,
    dicomweb,
    rejection,
    remote_files,
    tfio_pixels,
    zip_archive,
)
from spine_tf import volume

_TEMPORARY = "spine-tf-"
_BESIDE = (annotations.VERTEBRAE, annotations.GRADINGS, annotations.FAMILIES)


@dataclasses.dataclass(frozen=True)
class Listing:
    """What an input holds.

    Attributes:
        names: Of everything whose headers are to be read: images, or series on a server.
        beside: Files of this machine that may be annotations.
        rejections: What is named in a DICOMDIR and is not there.
        unused: Name of what is seen without a look at its headers -> why it is not needed.
        kept: A temporary folder that lasts as long as this object.
    """

    names: Sequence[str]
    beside: Sequence[str] = ()
    rejections: Sequence[rejection.Rejection] = ()
    unused: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kept: tempfile.TemporaryDirectory | None = None


def open_input(path: str) -> Listing:
    """Lists a folder, a DICOMDIR, a zip file, a DICOMweb server or a folder of `remote_files`.

    Raises:
        FileNotFoundError: If there is no such folder or file.
        ValueError: If it is a file of another kind, or broken, or no DICOMweb server.
        ImportError: If it is a server, and dicomweb-client is not installed.
    """
    if dicomweb.is_address(path):
        series, unused = dicomweb.list_series(path)
        return Listing(series, unused=unused)
    if remote_files.is_address(path):
        return _list_fetched(remote_files.list_files(path))
    if dicomdir.is_dicomdir(path):
        found, missing = dicomdir.list_files(path)
        return Listing(found, dicom.list_files(os.path.dirname(path) or "."), missing)
    if zip_archive.is_zip(path):
        return _list_fetched(zip_archive.list_members(path))
    if os.path.isfile(path):
        raise ValueError(
            f"{path}: must be a folder, a DICOMDIR, a zip file or an address (https://...)."
        )
    files = dicom.list_files(path)
    return Listing(files, files)


def _list_fetched(names: Sequence[str]) -> Listing:
    """The listing of what is no file of this machine, with copies of what may be annotations."""
    kept = tempfile.TemporaryDirectory(prefix=_TEMPORARY)
    beside = []
    for number, name in enumerate(names):
        if os.path.basename(name) in _BESIDE:
            folder = os.path.join(kept.name, str(number))
            os.mkdir(folder)
            beside.append(os.path.join(folder, os.path.basename(name)))
            _fetch([name], beside[-1:])
    return Listing(names, beside, kept=kept)


def header_files(name: str) -> Iterator[tuple[str, str]]:
    """Gives the images of one of a listing's names as files, at least with their headers.

    Args:
        name: From `Listing.names`.

    Yields:
        (name of an image, file that holds its header until the next one).

    Raises:
        rejection.RejectedInput: If it cannot be had.
    """
    if not dicomweb.is_address(name):
        with local_files([name]) as (path,):
            yield name, path
        return
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY) as folder:
        target = os.path.join(folder, "header.dcm")
        for image in dicomweb.write_headers(name, target):
            yield image, target


@contextlib.contextmanager
def local_files(names: Sequence[str]) -> Iterator[list[str]]:
    """Gives images as files of this machine, as long as the block lasts.

    Args:
        names: Of images of one input.

    Yields:
        A path for each.

    Raises:
        rejection.RejectedInput: If one cannot be had; also in place of those that the block
            raises, with the image's name instead of the temporary file's.
    """
    if not any(map(_is_remote, names)):
        yield list(names)
        return
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY) as folder:
        endings = (os.path.splitext(os.path.basename(name))[1] for name in names)
        paths = [os.path.join(folder, f"{number}{ending}") for number, ending in enumerate(endings)]
        _fetch(names, paths)
        try:
            yield paths
        except rejection.RejectedInput as error:
            raise renamed(error.rejection, dict(zip(paths, names, strict=True))) from None


def _is_remote(name: str) -> bool:
    if dicomweb.is_address(name) or remote_files.is_address(name):
        return True
    return not os.path.lexists(name) and zip_archive.split(name) is not None


def _fetch(names: Sequence[str], paths: Sequence[str]) -> None:
    for store in (dicomweb, remote_files):
        if store.is_address(names[0]):
            store.fetch(names, paths)
            return
    for name, path in zip(names, paths, strict=True):
        zip_archive.extract(name, path)


def renamed(found: rejection.Rejection, names: Mapping[str, str]) -> rejection.RejectedInput:
    """Returns a rejection as an error that gives a file its name."""
    return rejection.RejectedInput(names.get(found.path, found.path), found.uid, found.reason)


def read_volume(
    series: dicom_header.SeriesFiles, decoder: str = tfio_pixels.PYDICOM
) -> volume.Volume:
    """Reads the pixels of a series of any input; see `dicom.read_volume`.

    Raises:
        rejection.RejectedInput: As `dicom.read_volume`, and if a file cannot be had.
    """
    with local_series(series) as local:
        return dicom.read_volume(local, decoder)


@contextlib.contextmanager
def local_series(series: dicom_header.SeriesFiles) -> Iterator[dicom_header.SeriesFiles]:
    """Gives a series of any input with files of this machine, as long as the block lasts."""
    with local_files(series.paths) as paths:
        path_of = dict(zip(series.paths, paths, strict=True))
        moved = (dataclasses.replace(item, path=path_of[item.path]) for item in series.slices)
        yield dicom_header.SeriesFiles(tuple(moved))


def is_same_image(name: str, other: str) -> bool:
    """Says whether two images of one input hold the same pixels; see `dicom.is_same_image`."""
    with local_files([name, other]) as paths:
        return dicom.is_same_image(*paths)
