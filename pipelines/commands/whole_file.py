"""A file that appears under its name when it is whole.

Until then it lies beside it, as `NAME.….part`. Whoever writes a part holds a lock on it, and the
operating system lets go of that however the process ends: what nobody has locked was left by one
that was killed, and the next that writes a file of that name removes it. Two that write the same
file at once have a part each.
"""

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pipelines.commands.ending import undone
from pipelines.errors import ConfigurationError
from pipelines.paths import persons_umask


@contextmanager
def appearing_whole(out: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file beside `out` that takes its place at the end of the block, and is gone where that
    fails, or where Ctrl-C or a signal ends the process.

    Raises ConfigurationError where there is such a file by then, unless `force`; OSError.
    """
    _remove_left(out)
    part = out.with_name(f"{out.name}.{secrets.token_hex(4)}.part")
    with undone(lambda: part.unlink(missing_ok=True)), _locked(part) as sink:
        yield sink
        sink.flush()
        os.fchmod(sink.fileno(), 0o666 & ~persons_umask())
        os.fsync(sink.fileno())
        refuse_existing(out, force=force)
        part.replace(out)


def refuse_existing(out: Path, *, force: bool) -> None:
    """Raise ConfigurationError unless `out` may be written."""
    if out.exists() and not out.is_file():
        raise ConfigurationError(f"{out} is no file: leave --out away and redirect stdout")
    if out.exists() and not force:
        raise ConfigurationError(f"{out} is there already: --force replaces it")


def _remove_left(out: Path) -> None:
    of_out = re.compile(re.escape(out.name) + r"\.[0-9a-f]{8}\.part")
    with suppress(OSError):  # a folder that can't be listed may take a file all the same
        for part in [one for one in out.parent.iterdir() if of_out.fullmatch(one.name)]:
            # One that is being written is locked; NFS locks only what is open for writing.
            with suppress(OSError), part.open("r+b") as left:
                fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()


def _locked(part: Path) -> BinaryIO:
    """A new file. Between its making and its lock another process may take it for one that was
    left: then it is made again."""
    while True:
        sink = part.open("xb")
        with suppress(OSError):  # where nothing can be locked, nobody removes anything either
            fcntl.flock(sink, fcntl.LOCK_EX)
        if part.exists():
            return sink
        sink.close()
