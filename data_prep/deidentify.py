"""Pseudonyms: what stands in records for a patient, a family, a study or a scan.

A pseudonym is an HMAC-SHA256 with a key that the user keeps. Whoever has the key can find out which
patient a pseudonym stands for, and nobody else can; without it a second conversion gives other
pseudonyms, so that follow-ups converted later would not be joined.
"""

import hashlib
import hmac
import os
import secrets

from spine_tf import files

KEY_FILE = os.path.join("local", "pseudonym.key")  # by default, in the folder of the data set
KINDS = ("subject", "family", "scan", "study")
_KEY_BYTES = 32


def load_or_make_key(path: str) -> bytes:
    """Returns the key in a file; on first use makes it, readable by its owner only (mode 0600).

    Args:
        path: The key file: 64 hexadecimal digits.

    Returns:
        [32] bytes.

    Raises:
        ValueError: If the file holds something else.
    """
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        with files.atomic_write(path, permissions=0o600) as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read().strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError(
            f"{path}: `key_file` must hold {2 * _KEY_BYTES} hexadecimal digits, got"
            f" {len(text)} characters; give the key file of your earlier conversion or a new name."
        )
    return key


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
