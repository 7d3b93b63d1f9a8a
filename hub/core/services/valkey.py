"""The hub's own Valkey: queue and push. It writes nothing to disk, and may lose all it holds: PostgreSQL is the truth."""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from hub.core.services.errors import ServicesError
from hub.core.services.place import Place, make_folder, open_log
from hub.core.services.processes import command_line, end, find, wait_until

START_SECONDS = 10.0
STOP_SECONDS = 5.0
KILL_SECONDS = 5.0
PING_SECONDS = 2.0


class ValkeyService:
    """The server process of one place. Not thread-safe; `EmbeddedServices` calls it under its lock."""

    name = "Valkey"

    def __init__(self, place: Place, password: str, closing: threading.Event, say: Callable[[str], None]) -> None:
        self._place = place
        self._password = password
        self._closing = closing
        self._say = say
        self._folder = place.home / "valkey"
        self._log = place.home / "valkey.log"
        self._child: subprocess.Popen[bytes] | None = None
        self.socket: Path = place.sockets / "valkey.sock"
        settings = f'port 0\nunixsocketperm 700\nrequirepass {password}\nsave ""\nappendonly no\nloglevel warning\n'
        settings += f'dir "{self._folder}"\n'
        # the title tells a later start whether this process runs with today's settings
        self._title = f"valkey-server {place.mark} {hashlib.sha256(settings.encode()).hexdigest()[:12]}"
        self._settings = settings + f'proc-title-template "{self._title}"\n'

    def start(self) -> None:
        """Running and answering when this returns: adopted if a healthy one lives, else started. Raises ServicesError."""
        living = self._living()
        if len(living) == 1 and " ".join(command_line(living[0])).startswith(self._title) and self._answers():
            self._say("Valkey was still running and has been taken over")
            return
        self._end_all()
        make_folder(self._folder, self._place.account)
        self._spawn()

    def alive(self) -> bool:
        """Whether the process is there. Does not ask it anything."""
        return self._child.poll() is None if self._child is not None else bool(self._living())

    def stop(self) -> None:
        """At most 10 seconds, nothing left behind."""
        self._end_all()
        self._child = None

    def _spawn(self) -> None:
        with open_log(self._log) as log:
            self._child = subprocess.Popen(
                [str(self._place.programs.valkey_server), "-", "--unixsocket", str(self.socket)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
                user=self._place.account.user,
                group=self._place.account.group,
                extra_groups=self._place.account.groups,
                start_new_session=True,
            )
        assert self._child.stdin is not None
        # by pipe: the password is on no command line and in no file of the server's; one that is gone already speaks below
        with contextlib.suppress(BrokenPipeError), self._child.stdin as settings:
            settings.write(self._settings.encode())
        wait_until(lambda: self._answers() or not self.alive() or self._closing.is_set(), START_SECONDS)
        if not self._answers():
            raise ServicesError(f"Valkey did not start; its last words:\n{self._log.read_text(errors='replace')[-2000:]}")

    def _answers(self) -> bool:
        """Whether it takes our password and answers PING, within PING_SECONDS."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PING_SECONDS)
            try:
                connection.connect(str(self.socket))
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
            except OSError:
                return False

    def _living(self) -> list[int]:
        if self._child is not None:
            self._child.poll()  # a child that ended stays a zombie until asked
        return find("valkey-server", self._place.mark, self._place.account.uid)

    def _end_all(self) -> None:
        end(self._living, [(signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, KILL_SECONDS)])
        if left := self._living():
            raise ServicesError(f"Valkey processes {left} of {self._place.home} cannot be ended; end them, then start again")
        if self._child is not None:
            self._child.wait(KILL_SECONDS)
