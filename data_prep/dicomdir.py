"""The files that a DICOMDIR, the table of contents of a CD or an export, names."""

import os
import warnings

import pydicom

from data_prep import rejection

NAME = "DICOMDIR"


def is_dicomdir(path: str) -> bool:
    """Says whether a path is a file named DICOMDIR."""
    return os.path.isfile(path) and os.path.basename(path).upper() == NAME


def list_files(path: str) -> tuple[list[str], list[rejection.Rejection]]:
    """Returns the files that a DICOMDIR names, sorted, and those that are not there.

    Upper and lower case count as the same, as on the disks these folders come from.

    Raises:
        ValueError: If it cannot be read.

    Source: DICOM PS3.3 annex F (Basic Directory IOD), ReferencedFileID.
    """
    folder = os.path.dirname(os.path.abspath(path))
    there = {
        os.path.relpath(os.path.join(root, name), folder).upper(): os.path.join(root, name)
        for root, _, names in os.walk(folder)
        for name in names
    }
    found, missing = set(), []
    for parts in _named(path):
        name = os.path.normpath(os.path.join(*parts))
        if os.path.isabs(name) or name.split(os.sep)[0] == os.pardir:
            missing.append(rejection.Rejection(path, "", "names a file outside its folder"))
        elif name.upper() in there:
            found.add(there[name.upper()])
        else:
            why = "is named in the DICOMDIR and is not there; copy the medium again"
            missing.append(rejection.Rejection(os.path.join(folder, name), "", why))
    return sorted(found), missing


def _named(path: str) -> list[list[str]]:
    """The parts of each ReferencedFileID."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            records = pydicom.dcmread(path, force=True).get("DirectoryRecordSequence") or []
            values = [record.get("ReferencedFileID") for record in records]
            values = [[v] if isinstance(v, str) else list(v) for v in values if v]
    except Exception as error:  # a broken file makes pydicom raise nearly anything
        raise ValueError(
            f"{path}: cannot be read as a DICOMDIR ({type(error).__name__}); give its folder."
        ) from None
    if not values:
        raise ValueError(f"{path}: names no file; give its folder.")
    return values
