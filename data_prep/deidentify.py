"""Pseudonyms: what stands in records for a patient, a family, a study or a scan.

A pseudonym is an HMAC-SHA256 with a key that the user keeps. Whoever has the key can find out which
patient a pseudonym stands for, and nobody else can; without it a second conversion gives other
pseudonyms, so that follow-ups converted later would not be joined. The key is never written into
the folder of a data set: it lies in a file beside it, in a file that the user names, or in an
environment variable.
"""

import hashlib
import hmac
import os
import re
import secrets

from spine_tf import files

KEY_VARIABLE = "SPINE_TF_PSEUDONYM_KEY"
KINDS = ("subject", "family", "scan", "study")
_KEY_BYTES = 32
_PLACEHOLDER_BIRTH_DATES = ("", "19000101", "00000000")


def choose_key_file(given: str | None, output_dir: str) -> str:
    """Returns where the key of a data set is.

    Args:
        given: What `--key_file` says, or None.
        output_dir: Folder of the data set.

    Returns:
        The file that was given; else "" if `KEY_VARIABLE` is set; else OUTPUT_DIR.key.

    Raises:
        ValueError: If `given` lies inside `output_dir`.
    """
    folder = os.path.abspath(output_dir)
    if given:
        if os.path.commonpath([folder, os.path.abspath(given)]) == folder:
            raise ValueError(
                f"`key_file` must lie outside the data set, got {given}; whoever gets a copy of"
                " the data set must not get the key."
            )
        return given
    return "" if os.environ.get(KEY_VARIABLE) else f"{folder}.key"


def keep_message(key_file: str) -> str:
    """Returns what a converter says of the key at the end."""
    where = key_file or f"the value of {KEY_VARIABLE}"
    return f"Keep {where}, and do not share it: it is the key of the pseudonyms."


def load_or_make_key(path: str, keep: bool = True) -> bytes:
    """Returns the key in a file; on first use makes it, readable by its owner only (mode 0600).

    Args:
        path: The key file: 64 hexadecimal digits; "" takes them from `KEY_VARIABLE`.
        keep: Whether a new key is written to the file; not for a dry run.

    Returns:
        [32] bytes.

    Raises:
        ValueError: If the file or the variable holds something else.
    """
    if not path:
        return _parse(os.environ.get(KEY_VARIABLE, ""), f"{KEY_VARIABLE}: the variable")
    if not os.path.exists(path):
        if not keep:
            return secrets.token_bytes(_KEY_BYTES)
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        with files.atomic_write(path, permissions=0o600) as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
    with open(path, encoding="utf-8", errors="replace") as file:
        return _parse(file.read(), f"{path}: `key_file`")


def _parse(text: str, what: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError(
            f"{what} must hold {2 * _KEY_BYTES} hexadecimal digits, got {len(text.strip())}"
            " characters; give the key of your earlier conversion or a new name."
        )
    return key


def key_id(key: bytes) -> str:
    """Returns 16 hexadecimal digits by which two data sets made with one key are known.

    They tell nothing of the key.
    """
    return hmac.new(key, b"key\0", hashlib.sha256).hexdigest()[:16]


def pseudonym(key: bytes, kind: str, value: str) -> str:
    """Returns 24 hexadecimal digits that stand for `value`.

    Args:
        key: From `load_or_make_key`.
        kind: One of `KINDS`; the same value has another pseudonym as another kind.
        value: A PatientID, a family, a UID.

    Raises:
        ValueError: If `kind` is none of `KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {', '.join(KINDS)}, got {kind!r}.")
    message = f"{kind}\0{value}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:24]


def person_marks(sex: str, birth_date: str) -> tuple[str, str]:
    """Returns what the sex and the birth date of two headers are compared by.

    Args:
        sex: PatientSex; only F and M tell anything.
        birth_date: PatientBirthDate.

    Returns:
        A hash of each, "" where the header does not tell.
    """
    sex, birth_date = sex.strip().upper(), re.sub(r"[.\-\s]", "", birth_date)
    return _mark(sex if sex in ("F", "M") else ""), _mark(birth_date)


def _mark(value: str) -> str:
    is_known = value not in _PLACEHOLDER_BIRTH_DATES
    return hashlib.sha256(value.encode()).hexdigest()[:16] if is_known else ""
