"""What a client says when a server does not answer, and when it asks again."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

_Answer = TypeVar("_Answer")
_MOST_SECONDS = 10.0  # between two attempts


class UnreachableError(ConnectionError):
    """No server answers, or none in time."""


class RefusedError(ValueError):
    """The server answers that the request is wrong; the message is the model's own."""


class _AgainError(Exception):
    """An attempt failed in a way that may pass."""


class UnavailableError(_AgainError):
    """There is no server, or it is not ready."""


class LateError(_AgainError):
    """The deadline has passed."""


def with_retries(
    attempt: Callable[[], _Answer],
    where: str,
    attempts: int,
    backoff_seconds: float,
    sleep: Callable[[float], object] = time.sleep,
) -> _Answer:
    """Calls a function until it answers, waiting twice as long each time.

    Args:
        attempt: Raises UnavailableError or LateError where asking again may help; anything else
            is raised at once.
        where: The server, for the message.
        attempts: Most calls.
        backoff_seconds: First wait; each is shortened by up to half at random, so that many
            clients do not come back together.
        sleep: Waits.

    Raises:
        UnreachableError: If the last attempt failed, too.
    """
    for number in range(attempts):
        if number:
            longest = min(_MOST_SECONDS, backoff_seconds * 2 ** (number - 1))
            sleep(longest * random.uniform(0.5, 1.0))
        try:
            return attempt()
        except _AgainError as error:
            last = error
    raise UnreachableError(
        f"{where}: no answer in {attempts} attempts, the last one: {last} Is the server running,"
        " has it loaded the model, and is the address its own?"
    ) from last
