"""What can stop the embedded servers from starting. The text is for the operator at the terminal and names the way on."""


class ServicesError(Exception):
    """The embedded servers cannot run; `str(error)` says why and what to do. Never contains a password (I10)."""


class AlreadyRunning(ServicesError):
    """Another process holds this data folder; `pid` is that process, or None in the instant before it wrote it down."""

    def __init__(self, message: str, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class WrongMajor(ServicesError):
    """The data folder was written by another PostgreSQL major than the one this hub carries."""
