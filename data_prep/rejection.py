"""What a converter says of input that should have been usable and was not."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Rejection:
    """One rejected file, series or study. It names paths and UIDs, never a patient attribute.

    Attributes:
        path: File or folder.
        uid: SOP, series or study instance UID, or "".
        reason: What is wrong and what to do.
    """

    path: str
    uid: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.path} ({self.uid})" if self.uid else self.path
        return printable(f"{where}: {self.reason}")


def printable(text: str) -> str:
    """Returns `text` with what no terminal or table can show (names of files) as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, such as 1 scan or 2 scans."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class RejectedInput(ValueError):
    """Raised where one input cannot be used and the others can."""

    def __init__(self, path: str, uid: str, reason: str):
        self.rejection = Rejection(path, uid, reason)
        super().__init__(str(self.rejection))

    def __reduce__(self):
        # Workers of a pipeline send exceptions to each other.
        return type(self), dataclasses.astuple(self.rejection)
