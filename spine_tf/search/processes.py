"""Which part of a search this process is: Keras Tuner's own distributed mode, by environment.

KERASTUNER_TUNER_ID is chief for the process that chooses the values, and another name for each that
trains; KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT say where the chief is. Without them one
process does both.
"""

import os
import socket
import time
from collections.abc import Callable

ALONE, CHIEF, WORKER = "alone", "chief", "worker"
_ID, _IP, _PORT = (f"KERASTUNER_{name}" for name in ("TUNER_ID", "ORACLE_IP", "ORACLE_PORT"))
_WAIT_S = 1.0


def name() -> str:
    """Returns the name of this process."""
    return os.environ.get(_ID, "tuner0")


def role() -> str:
    """Returns alone, chief or worker.

    Raises:
        ValueError: If only some of the variables are set, or the port is none.
    """
    given = [variable for variable in (_ID, _IP, _PORT) if os.environ.get(variable)]
    if not given:
        return ALONE
    if len(given) < 3:
        raise ValueError(
            f"{_ID}, {_IP} and {_PORT} must be set together, got {' and '.join(given)}."
        )
    if not os.environ[_PORT].isdigit():
        raise ValueError(f"`{_PORT}` must be a number, got {os.environ[_PORT]!r}.")
    return CHIEF if "chief" in name() else WORKER  # as Keras Tuner tells them apart


def address() -> tuple[str, int]:
    """Returns host and port of the chief."""
    return os.environ[_IP], int(os.environ[_PORT])


def wait_for_chief(say: Callable[[str], None]) -> None:
    """Waits until the chief answers.

    Args:
        say: Takes what a person reads.
    """
    is_said = False
    while not _answers():
        if not is_said:
            say(f"{name()}: waits for the chief at {':'.join(map(str, address()))}.")
        is_said = True
        time.sleep(_WAIT_S)


def _answers() -> bool:
    try:
        socket.create_connection(address(), timeout=_WAIT_S).close()
    except OSError:
        return False
    return True


def check_port() -> None:
    """Checks that the chief can listen.

    Raises:
        ValueError: If it cannot, because another process does, say.
    """
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(address())
        except OSError as error:
            raise ValueError(
                f"`{_IP}` and `{_PORT}` must be free for the chief, got"
                f" {':'.join(map(str, address()))} ({error.strerror})."
            ) from error
