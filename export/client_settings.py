"""Where a model is served, and how patient and how large a client's requests are."""

import dataclasses

GRPC, REST = "grpc", "rest"
_MEBI = 2**20


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a client.

    Attributes:
        address: host:port of the server: by default 8500 of gRPC and 8501 of REST.
        transport: "grpc" or "rest".
        model: Name of the model on the server.
        version: Version to ask; None is the server's choice, the newest.
        deadline_seconds: Longest wait for the answer to one attempt.
        attempts: Most attempts of one request.
        backoff_seconds: Wait after the first attempt; it doubles with each.
        max_message_mb: Largest request in MiB; batches are split to stay below.
        max_answer_mb: Largest answer in MiB.
        max_batch_size: Most crops or records of one request.
        use_tls: Whether the connection is encrypted, with the system's root certificates.
    """

    address: str = "localhost:8500"
    transport: str = GRPC
    model: str = "spine_grading"
    version: int | None = None
    deadline_seconds: float = 30.0
    attempts: int = 4
    backoff_seconds: float = 0.5
    max_message_mb: float = 4.0
    max_answer_mb: float = 64.0
    max_batch_size: int = 32
    use_tls: bool = False

    def __post_init__(self):
        if self.transport not in (GRPC, REST):
            raise ValueError(f"`transport` must be {GRPC} or {REST}, got {self.transport!r}.")
        if ":" not in self.address or "/" in self.address:
            raise ValueError(f"`address` must be host:port, got {self.address!r}.")
        for name in ("attempts", "max_batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)!r}.")
        for name in ("deadline_seconds", "backoff_seconds", "max_message_mb", "max_answer_mb"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be above 0, got {getattr(self, name)!r}.")

    @property
    def where(self) -> str:
        """The server and the model, for messages."""
        return f"{self.transport} {self.address}, model {self.model}"

    @property
    def max_message_bytes(self) -> int:
        """`max_message_mb` in bytes."""
        return int(self.max_message_mb * _MEBI)

    @property
    def max_answer_bytes(self) -> int:
        """`max_answer_mb` in bytes."""
        return int(self.max_answer_mb * _MEBI)

    def check_size(self, size_bytes: int) -> None:
        """Raises ValueError for a request that is too large and cannot be split."""
        if size_bytes > self.max_message_bytes:
            raise ValueError(
                f"`max_message_mb` must be at least {size_bytes / _MEBI:.2f} for this request, got"
                f" {self.max_message_mb:g}. Raise it, and the limit of what is between client and"
                " server; or send crops, which are split."
            )
