"""The data directory: made once, whole or not at all, and made usable again at each start.

What a copy, a restored backup or a careless chmod does to it (root as its owner, permissions that
Postgres refuses, a lost superuser password) is put right where it is ours to do so.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import EmbeddedPostgresError
from pipelines.warehouse.postgres_folder import (
    ServerFiles,
    new_password,
    read_or_make_password,
    read_password,
    write_private,
)
from pipelines.warehouse.postgres_host import (
    OLDEST_MAJOR,
    Account,
    find_binaries,
    launch_command,
    launch_environment,
)
from pipelines.warehouse.postgres_trouble import disk_full, no_space

SUPERUSER = "postgres"
LONGEST_PATH = 960  # Postgres has room for 1023 bytes, and appends to it

# Written to postgresql.conf once, where whoever runs the project may change them.
SETTINGS = {
    "shared_buffers": "128MB",
    "max_connections": "50",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "password_encryption": "scram-sha-256",
}


def provide_data(
    files: ServerFiles, setting: Path | None, account: Account | None, lock: int
) -> Path:
    """Make the data directory, or see that the one there can be used; the programs' folder.

    For who has claimed the folder: `lock` is what programs inherit. Raises EmbeddedPostgresError.
    """
    for leftover in files.folder.glob("*.new-*"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    if not files.data.exists() or not any(files.data.iterdir()):
        found = find_binaries(setting)
        initialise(files, found, account, durable=True, inherited=[lock])
        return found
    _reclaim(files.data, account)
    found = _programs_for(files, setting)
    if read_password(files.superuser_password) is None:
        _reset_superuser(files, found, account, lock)
    return found


def initialise(
    files: ServerFiles,
    binaries: Path,
    account: Account | None,
    *,
    durable: bool,
    inherited: Sequence[int] = (),
) -> None:
    """Make the data directory, under another name until it is whole."""
    if len(os.fsencode(files.data)) > LONGEST_PATH or "\n" in str(files.data):
        raise EmbeddedPostgresError(
            f"Postgres can't keep data in {files.data}: the path may have {LONGEST_PATH} bytes and"
            " no line break. Move the project, or name another folder in HOLDFAST_HOME"
        )
    fresh = Path(tempfile.mkdtemp(dir=files.folder, prefix="data.new-"))
    secret = files.folder / "initdb-password"
    try:
        write_private(secret, read_or_make_password(files.superuser_password))
        arguments = ["-D", str(fresh), f"--username={SUPERUSER}", f"--pwfile={secret}"]
        arguments += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        arguments += [] if durable else ["--no-sync"]
        if account is not None:
            for path in (fresh, secret):
                os.chown(path, account.uid, account.gid)
        command = launch_command(binaries / "initdb", arguments, account, fresh)
        status, said = _run(command, inherited)
        if status != 0:
            raise EmbeddedPostgresError(_initdb_failed(files, binaries, account, said))
        with (fresh / "postgresql.conf").open("a") as config:
            config.write("\n# Holdfast's own choices\n")
            config.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
        fresh.rename(files.data)
    finally:
        secret.unlink(missing_ok=True)
        if fresh.exists():
            shutil.rmtree(fresh)


def _initdb_failed(files: ServerFiles, binaries: Path, account: Account | None, said: str) -> str:
    if line := no_space(said):
        return disk_full(files, line)
    end = "\n".join(said.splitlines()[-12:])
    return (
        f"{binaries / 'initdb'} could not make a database in {files.folder}"
        f"{f' as user {account.name}' if account else ''}; it said:\n{end}"
    )


def _run(
    command: list[str], inherited: Sequence[int], *, given: str | None = None
) -> tuple[int, str]:
    """Run a program to its end; its exit status and all that it said."""
    done = subprocess.run(  # noqa: S603 - made by launch_command
        command,
        input=(given or "").encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=launch_environment(),
        pass_fds=inherited,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def _programs_for(files: ServerFiles, setting: Path | None) -> Path:
    """The programs of the version that wrote the data."""
    version = files.data / "PG_VERSION"
    written = version.read_text(errors="replace").strip() if version.exists() else ""
    if not (written.isascii() and written.isdigit()):
        raise EmbeddedPostgresError(
            f"{files.data} holds no whole database: {version} is missing or garbled. Bring"
            f" {files.folder} back from a backup, or move it away to begin anew"
        )
    if int(written) < OLDEST_MAJOR:
        raise EmbeddedPostgresError(
            f"the data in {files.data} was written by Postgres {written}, which is older than"
            f" {OLDEST_MAJOR}, the oldest that Holdfast runs on. {_carry_over(files)}"
        )
    try:
        return find_binaries(setting, major=int(written))
    except EmbeddedPostgresError as error:
        raise EmbeddedPostgresError(
            f"the data in {files.data} was written by Postgres {written}, and no other version can"
            f" open it: {error}. {_carry_over(files)}"
        ) from error


def _carry_over(files: ServerFiles) -> str:
    return (
        "To carry the data over to another version, start it with its own, dump it with pg_dump,"
        f" move {files.folder} away, start Holdfast's again and load it with pg_restore. Without"
        f" that data: move {files.folder} away to begin anew"
    )


def _reclaim(data: Path, account: Account | None) -> None:
    """Make the directory its user's own and closed to others, as Postgres demands.

    A copy that root made belongs to root, as no data directory does that Postgres made. Only
    root's own files change hands, and none that has a second name elsewhere.
    """
    found = data.stat()
    if account is not None and found.st_uid == 0:
        for folder, _, names in os.walk(data):
            for path in (folder, *(os.path.join(folder, name) for name in names)):  # noqa: PTH118
                status = os.lstat(path)
                if status.st_uid == 0 and (path == folder or status.st_nlink == 1):
                    os.chown(path, account.uid, account.gid, follow_symlinks=False)
    mode = found.st_mode & 0o777
    owner = account.uid if account else os.geteuid()
    if mode not in (0o700, 0o750) and data.stat().st_uid == owner:
        data.chmod(0o700)


def _reset_superuser(
    files: ServerFiles, binaries: Path, account: Account | None, lock: int
) -> None:
    """Give the superuser a new password, by the way in that only the data's owner has."""
    made = new_password()
    arguments = ["--single", "-D", str(files.data), "postgres"]
    command = launch_command(binaries / "postgres", arguments, account, files.data)
    # Over a pipe, which no process list shows; our alphabet has no quote.
    statement = f"alter role {SUPERUSER} password '{made}'\n"
    status, said = _run(command, [lock], given=statement)
    if status != 0 or "ERROR:" in said:
        raise EmbeddedPostgresError(
            f"{files.superuser_password} is lost, and Postgres could not be given another password:"
            f" restore that file, or move {files.folder} away to begin anew. It said:\n"
            + "\n".join(said.replace(made, "***").splitlines()[-12:])
        )
    write_private(files.superuser_password, made)
