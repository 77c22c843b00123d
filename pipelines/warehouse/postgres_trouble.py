"""What went wrong with the project's own Postgres, for the person who has to mend it.

Refusals of the operating system and the last words of Postgres's programs, told as what happened,
to which folder, and what to do.
"""

import errno
import os
import pwd
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout

from pipelines.errors import EmbeddedPostgresError
from pipelines.warehouse.postgres_folder import ServerFiles

# What Postgres says; its messages are English, as the cluster is made with --locale=C.
PORT_TAKEN = ("could not bind", "could not create any TCP/IP sockets")
NO_SPACE = ("No space left on device", "Disk quota exceeded", "Check free disk space")
UNRECOVERABLE = (
    "could not locate a valid checkpoint record",
    "could not locate required checkpoint record",
    "could not find redo location",
    "invalid checkpoint record",
    "incorrect checksum in control file",
    'could not read file "global/pg_control"',
    'could not open file "global/pg_control"',
    "is not a valid data directory",
    "WAL ends before consistent recovery point",
    "WAL ends before end of online backup",
)

FULL_BELOW_BYTES = 1 << 20  # less is as good as nothing: not even the log can tell
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
ELSEWHERE = "name another folder in HOLDFAST_HOME, or set DATABASE_URL"


@contextmanager
def explained(files: ServerFiles, lock_seconds: float) -> Iterator[None]:
    """Turn what the operating system refuses into the project's error, with what to do."""
    try:
        yield
    except Timeout as error:
        raise EmbeddedPostgresError(
            f"another process has been starting or stopping the Postgres server in {files.folder}"
            f" for {lock_seconds} s; wait for it or end it. {files.last_words()}"
        ) from error
    except OSError as error:
        raise EmbeddedPostgresError(_refused(files, error)) from error
    except subprocess.SubprocessError as error:
        raise EmbeddedPostgresError(
            f"the Postgres server in {files.folder} could not be started or stopped: {error}"
        ) from error


def _refused(files: ServerFiles, error: OSError) -> str:
    place = Path(str(error.filename)) if error.filename else files.folder
    if isinstance(error, PermissionError):
        return _forbidden(files, place)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(files)
    if error.errno == errno.EROFS:
        return (
            f"{place} can't be written: it is on a read-only file system. The project's own"
            f" Postgres keeps its data in {files.folder}: mount it writable, {ELSEWHERE}"
        )
    if error.errno in NO_LOCKS:
        return (
            f"the file system of {files.folder} has no file locks ({error.strerror}), without which"
            " two servers could write to the same data. Keep it on a local disk:"
            f" {ELSEWHERE}"
        )
    if error.errno == errno.ENAMETOOLONG:
        return f"{place}: the path is too long. Move the project, {ELSEWHERE}"
    return f"the Postgres server in {files.folder} could not be started or stopped: {error}"


def _forbidden(files: ServerFiles, place: Path) -> str:
    """For a PermissionError: the uppermost path on the way that is closed, and whose it is."""
    for path in (*reversed(place.parents), place):
        try:
            found = path.stat()
        except (PermissionError, FileNotFoundError):
            break
        place = path
        if path.is_dir() and not os.access(path, os.X_OK):
            break
    denied = f"{place}: permission denied for {_user(os.geteuid())}"
    if found.st_uid == os.geteuid():
        needed = "rwx" if place.is_dir() else "rw"
        return f"{denied}, whose it is: chmod u+{needed} {shlex.quote(str(place))}"
    return (
        f"{denied}; it belongs to {_user(found.st_uid)}. The Postgres server in {files.folder} is"
        f" for the user who set it up: work as that user or as root, {ELSEWHERE}"
    )


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def disk_full(files: ServerFiles, said: str = "") -> str:
    """The message for a file system without space; `said`: what Postgres said of it, if it did."""
    place = next(path for path in (files.folder, *files.folder.parents) if path.exists())
    mount = next(path for path in (place, *place.parents) if path.is_mount())
    usage = shutil.disk_usage(place)
    quoted = f" Postgres said: {said}." if said else ""
    return (
        f"the disk is full: {files.folder} is on the file system mounted at {mount}, which has"
        f" {usage.free // 1_000_000} of {usage.total // 1_000_000} MB free.{quoted} Free some space"
        " there (a new database takes 60 MB) and start again, nothing that was stored is lost; or"
        f" {ELSEWHERE}"
    )


def no_space(text: str) -> str:
    """The line in which a program says that the disk is full, or nothing.

    Shared memory is a file system too (/dev/shm), and not the one that has our data.
    """
    before = ""
    for line in map(str.strip, text.splitlines()):
        if any(sign in line for sign in NO_SPACE) and "shared memory" not in line:
            return before if "HINT:" in line else line
        before = line
    return ""


def port_taken(said: str) -> bool:
    return any(sign in said for sign in PORT_TAKEN)


def ended_at_start(files: ServerFiles, offset: int) -> EmbeddedPostgresError:
    """Why a server ended before it accepted connections, from its log since `offset`."""
    said = files.log_since(offset)
    line = no_space(said)
    if line or shutil.disk_usage(files.folder).free < FULL_BELOW_BYTES:
        return EmbeddedPostgresError(disk_full(files, line or "".join(said.splitlines()[-1:])))
    if any(sign in said for sign in UNRECOVERABLE):
        return EmbeddedPostgresError(
            f"the data in {files.data} is damaged and Postgres can't recover it. If the folder was"
            " copied from a server that ran: stop that one (holdfast postgres stop), copy again,"
            f" start. Else bring {files.folder} back from a backup, or move it away to begin anew."
            f" {files.last_words(offset)}"
        )
    return EmbeddedPostgresError(
        f"the Postgres server in {files.folder} ended at its start. {files.last_words(offset)}"
    )
