"""The folder in which the project's own Postgres lives, and what can be read from it.

What runs is read from Postgres's own postmaster.pid, and believed only if that process is there and
serves this data. The port of last time is kept, because dashboards remember it.
"""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

import psutil

from pipelines.warehouse.postgres_host import Account


@dataclass(frozen=True)
class ServerFiles:
    """Where everything is, under one state folder."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def password(self) -> Path:
        return self.folder / "password"

    @property
    def superuser_password(self) -> Path:
        return self.folder / "superuser-password"

    @property
    def port(self) -> Path:
        return self.folder / "port"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    def last_port(self) -> int | None:
        text = self.port.read_text() if self.port.exists() else ""
        return int(text) if text.isdigit() else None

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def log_since(self, offset: int) -> str:
        return self.log.read_bytes()[offset:].decode(errors="replace")

    def last_words(self, offset: int = 0) -> str:
        """The end of the log, for a message."""
        lines = self.log_since(offset).splitlines()[-12:] if self.log.exists() else []
        return f"{self.log} ends:\n" + "\n".join(lines) if lines else f"{self.log} is empty"

    def hand_over(self, account: Account) -> None:
        """Give what root made here to the project's owner, who may come without root next time."""
        ours = (self.password, self.superuser_password, self.port, self.log, self.lock)
        for path in (self.home, self.folder, *ours):
            if path.exists() and path.stat().st_uid == 0:
                os.chown(path, account.uid, account.gid, follow_symlinks=False)


@dataclass(frozen=True)
class Postmaster:
    pid: int
    port: int
    ready: bool


def running_postmaster(files: ServerFiles) -> Postmaster | None:
    """What postmaster.pid says, if that process is a Postgres that serves this data directory."""
    try:
        lines = (files.data / "postmaster.pid").read_text().splitlines()
        found = Postmaster(int(lines[0]), int(lines[3]), lines[-1].strip() == "ready")
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None
    try:
        process = psutil.Process(found.pid)
        if process.name() != "postgres" or not is_alive(found.pid):
            return None
        if str(files.data) in process.cmdline() or Path(process.cwd()) == files.data:
            return found  # cwd: the folder has been renamed since
    except psutil.Error:
        pass
    return None


def remove_stale_pid_file(files: ServerFiles) -> None:
    """Remove a postmaster.pid that nothing runs behind and that Postgres would believe.

    It sees for itself that a process is gone, and then looks for backends that were left over; but
    it takes any process that has the number now for its server, and stops at an empty file.
    """
    path = files.data / "postmaster.pid"
    if path.exists() and running_postmaster(files) is None:
        first = path.read_text().split("\n", maxsplit=1)[0]
        being_written = not first and time.time() - path.stat().st_mtime < 1
        if not being_written and (not first.isdigit() or psutil.pid_exists(int(first))):
            path.unlink()


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # macOS, of another user's process
        return True


def read_or_make_password(path: Path) -> str:
    """What the file holds; made, for its owner's eyes only, where there is none."""
    if not path.exists():
        write_private(path, token_urlsafe(24))
    return path.read_text()


def write_private(path: Path, text: str) -> Path:
    """Write the file at once, readable by its owner alone."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return Path(name).replace(path)
