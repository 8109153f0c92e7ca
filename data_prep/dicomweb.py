"""Studies on a DICOMweb server: headers by QIDO-RS and WADO-RS metadata, pixels by WADO-RS.

An instance is named by its WADO-RS address, ROOT/studies/UID/series/UID/instances/UID. A user and
a password are taken from ~/.netrc, a bearer token from the environment.

Source: DICOM PS3.18 sections 10.4 (Retrieve) and 10.6 (Search), annex F (DICOM JSON).
"""

import functools
import os
import re
import warnings
from collections.abc import Iterator, Sequence

import pydicom
import pydicom.config
import pydicom.uid

from data_prep import rejection

TOKEN = "SPINE_TF_DICOMWEB_TOKEN"
_ADDRESS = re.compile(r"(.+)/studies/([0-9.]+)/series/([0-9.]+)(?:/instances/([0-9.]+))?")
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
_MODALITY, _SOP_CLASS = "00080060", "00080016"
# Groups that a header is judged by; of the patient's group what identity and facts need.
_GROUPS = ("0008", "0018", "0020", "0028", "5200")
_PATIENT = ("00100020", "00100030", "00100040", "00101010", "00101030")
_ANY_SYNTAX = (("application/dicom", "*"),)
_TIMEOUT_SECS = 60
_ATTEMPTS, _WAIT_MS = 3, 250  # of a request; the wait doubles


def is_address(path: str) -> bool:
    """Says whether a path is the address of a server or of something on it."""
    return path.startswith(("http://", "https://"))


def list_series(root: str) -> tuple[list[str], dict[str, str]]:
    """Asks a server for its series.

    Args:
        root: Address of the service, such as https://host/dicom-web.

    Returns:
        Addresses of the MR series, sorted; and address -> why, of those that are not needed.

    Raises:
        ValueError: If the server does not answer as a DICOMweb server does.
        ImportError: If dicomweb-client is not installed.
    """
    root, needed, unused = root.rstrip("/"), [], {}
    if "@" in root.split("/")[2]:
        raise ValueError("`input_dir` must hold no user and password; put them into ~/.netrc.")
    try:
        for study in _client(root).search_for_studies(get_remaining=True):
            uid = _value(study, _STUDY)
            for item in _client(root).search_for_series(uid, get_remaining=True):
                address = f"{root}/studies/{uid}/series/{_value(item, _SERIES)}"
                modality = _value(item, _MODALITY)
                if modality in ("", "MR"):
                    needed.append(address)
                else:
                    unused[address] = f"no MR image ({modality})"
    except ImportError:
        raise
    except Exception as error:  # of requests, of the client, and of what the server sent
        raise ValueError(
            f"{root}: does not answer as a DICOMweb server ({_name(error)}). Give the root of"
            " QIDO-RS and WADO-RS, such as https://host/dicom-web, and see that it runs."
        ) from None
    return sorted(needed), unused


def write_headers(series: str, target: str) -> Iterator[str]:
    """Writes the header of every image of a series, without pixels, one after the other.

    Args:
        series: Address of the series.
        target: The file that each header is written to, over the one before.

    Yields:
        The address of the image whose header `target` is now.

    Raises:
        rejection.RejectedInput: If the server does not give them.
    """
    root, study_uid, series_uid, _ = _parse(series)
    try:
        found = _client(root).retrieve_series_metadata(study_uid, series_uid)
        for item in found:
            _write_header(item, target)
            yield f"{series}/instances/{_value(item, _INSTANCE)}"
    except Exception as error:  # of requests, of the client, and of what the server sent
        raise _refused(series, series_uid, error) from None


def fetch(addresses: Sequence[str], targets: Sequence[str]) -> None:
    """Writes whole images to files.

    Args:
        addresses: Of images.
        targets: The file for each.

    Raises:
        rejection.RejectedInput: If the server does not give one of them.
    """
    for address, target in zip(addresses, targets, strict=True):
        root, study_uid, series_uid, uid = _parse(address)
        try:
            image = _client(root).retrieve_instance(study_uid, series_uid, uid, _ANY_SYNTAX)
            image.save_as(target, enforce_file_format=True)
        except Exception as error:  # of requests, of the client, and of what the server sent
            raise _refused(address, uid, error) from None


@functools.lru_cache(maxsize=4)
def _client(root: str):
    """A client that waits for an answer, but not for ever."""
    try:
        from dicomweb_client import api
    except ImportError:
        raise ImportError(
            "a DICOMweb server needs dicomweb-client; pip install 'spine-tf[dicomweb]'."
        ) from None
    token = os.environ.get(TOKEN)
    headers = {"Authorization": f"Bearer {token}"} if token else None
    client = api.DICOMwebClient(root, headers=headers, timeout=_TIMEOUT_SECS)
    client.set_http_retry_params(max_attempts=_ATTEMPTS, wait_exponential_multiplier=_WAIT_MS)
    return client


def _parse(address: str) -> tuple[str, str, str, str]:
    """Root, study, series and instance of an address; the last is "" of a series."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError(f"an address must be ROOT/studies/UID/series/UID, got {address!r}.")
    root, study_uid, series_uid, uid = found.groups(default="")
    return root, study_uid, series_uid, uid


def _value(item: dict, tag: str) -> str:
    return str((item.get(tag, {}).get("Value") or [""])[0])


def _write_header(item: dict, target: str) -> None:
    kept = {
        tag: value
        for tag, value in item.items()
        if (tag[:4] in _GROUPS or tag in _PATIENT) and "BulkDataURI" not in value
    }
    dataset = pydicom.Dataset.from_json(kept, lambda *unused: None)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = _value(item, _SOP_CLASS)
    dataset.file_meta.MediaStorageSOPInstanceUID = _value(item, _INSTANCE)
    before = pydicom.config.settings.writing_validation_mode
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.save_as(target, enforce_file_format=True)
    finally:
        pydicom.config.settings.writing_validation_mode = before


def _refused(address: str, uid: str, error: Exception) -> rejection.RejectedInput:
    why = f"the server does not give it ({_name(error)}); ask for it again, or mend the server"
    return rejection.RejectedInput(address, uid, why)


def _name(error: Exception) -> str:
    """The class of an error and its status; its text may show what the server sent."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"{type(error).__name__}{f' {status}' if status else ''}"
