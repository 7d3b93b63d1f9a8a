"""The exclusive lock on a data folder: one `hub serve` per folder. The kernel frees it whatever becomes of the holder."""

import fcntl
import os
from pathlib import Path

from hub.core.services.errors import AlreadyRunning


class FolderLock:
    """flock on `<folder>/lock`; the file holds the PID of the holder, for the message of the second one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None

    def take(self) -> None:
        """Raises AlreadyRunning, naming the holder, when another process (or another object of this one) has it."""
        file = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(file, 20, 0).decode().strip()
            os.close(file)
            who = f"process {holder}" if holder else "another process"
            message = f"the data folder {self._folder} is in use by {who}; stop it first, or set another HUB_DATA"
            raise AlreadyRunning(message, int(holder) if holder else None) from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def free(self) -> None:
        """Safe to call twice. The file stays: removing it would let two processes lock two files of the same name."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None
