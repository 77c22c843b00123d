"""The folder in which the project's own Postgres lives, and the small files beside the data.

None of them is beyond replacement: a password that was lost or garbled is made anew, a port that
can't be read is chosen anew. The port of last time is kept, because dashboards remember it; with
the data directory's inode, so that a copy of the folder takes a port of its own, and nobody who
asks for the original gets the copy.
"""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

from pipelines.warehouse.postgres_host import Account

LOG_BYTES_KEPT = 10_000_000


@dataclass(frozen=True)
class ServerFiles:
    """Where everything is, under one state folder; `log_folder` is where logs go if not there."""

    home: Path
    log_folder: Path | None = None

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
    def lock(self) -> Path:
        """Held by whoever starts or stops the server, while doing so."""
        return self.folder / "lock"

    @property
    def server_lock(self) -> Path:
        """Held by the server, while any of its processes lives: see `postgres_life`."""
        return self.folder / "server-lock"

    @property
    def log(self) -> Path:
        return (self.log_folder or self.home / "logs") / "postgres.log"

    @property
    def old_log(self) -> Path:
        return self.log.with_name("postgres.log.1")

    def last_port(self) -> int | None:
        """The port of last time, if this is the data directory that had it."""
        content = self.port.read_bytes() if self.port.exists() else b""
        found = re.fullmatch(rb"(\d{1,5}) (\d+)\s*", content)
        if found is None or int(found[2]) != self.data.stat().st_ino:
            return None
        port = int(found[1])
        return port if 0 < port < 1 << 16 else None

    def remember_port(self, port: int) -> None:
        if port != self.last_port():
            write_private(self.port, f"{port} {self.data.stat().st_ino}\n")

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def log_since(self, offset: int) -> str:
        return self.log.read_bytes()[offset:].decode(errors="replace") if self.log.exists() else ""

    def last_words(self, offset: int = 0) -> str:
        """The end of the log, for a message."""
        lines = self.log_since(offset).splitlines()[-12:]
        return f"{self.log} ends:\n" + "\n".join(lines) if lines else f"{self.log} says nothing"

    def rotate_log(self) -> None:
        """Make room for a log; one old log is kept."""
        self.log.parent.mkdir(exist_ok=True)
        if self.log_size() > LOG_BYTES_KEPT:
            self.log.replace(self.old_log)

    def hand_over(self, account: Account) -> None:
        """Give what root made here to the project's owner, who may come without root next time."""
        secrets = (self.password, self.superuser_password, self.port, self.lock, self.server_lock)
        logs = (self.log.parent, self.log, self.old_log)
        for path in (self.home, self.folder, *secrets, *logs):
            if path.exists() and path.stat().st_uid == 0:
                os.chown(path, account.uid, account.gid, follow_symlinks=False)


def read_password(path: Path) -> str | None:
    """What the file holds, or None where it is gone, emptied or not what we write."""
    content = path.read_bytes().strip() if path.exists() else b""
    return content.decode() if re.fullmatch(rb"[A-Za-z0-9_-]{16,}", content) else None


def read_or_make_password(path: Path) -> str:
    """What the file holds; made, for its owner's eyes only, where there is none."""
    known = read_password(path)
    if known is not None:
        return known
    made = new_password()
    write_private(path, made)
    return made


def new_password() -> str:
    return token_urlsafe(24)


def write_private(path: Path, text: str) -> Path:
    """Write the file at once, readable by its owner alone, or leave it as it was."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.new-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        return Path(name).replace(path)
    except OSError:
        Path(name).unlink()
        raise
