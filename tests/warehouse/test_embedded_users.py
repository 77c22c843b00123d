"""The embedded server by user: root gives it to another, a plain user runs it, others are told.

Nobody's permissions change on the way, and nothing is written outside the state folder.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipelines.errors import EmbeddedPostgresError
from pipelines.warehouse import embedded, postgres_host
from pipelines.warehouse.embedded import EmbeddedServer

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to others."""
    path = Path(tempfile.mkdtemp(prefix="holdfast-test-"))
    path.chmod(0o755)
    yield path
    embedded.stop(path / ".holdfast")
    shutil.rmtree(path)


class TestUsers:
    def test_a_closed_folder_above_stays_as_it_was(self, home: Path, tmp_path: Path, lab) -> None:
        tmp_path.chmod(0o700)
        before = [(path, path.stat().st_mode, path.stat().st_uid) for path in tmp_path.parents]
        before.append((tmp_path, tmp_path.stat().st_mode, tmp_path.stat().st_uid))
        assert lab.fetch(lab.start(home), "select 1") == 1
        assert before == [(path, path.stat().st_mode, path.stat().st_uid) for path, *_ in before]

    @needs_root
    def test_root_gives_the_server_to_another_user(
        self, shared_home: Path, shared: EmbeddedServer
    ) -> None:
        users = psutil.Process(shared.pid).uids()
        assert 0 not in users
        assert users.real == (shared_home / "postgres" / "data").stat().st_uid

    @needs_root
    def test_root_works_for_the_owner_of_the_project(self, home: Path, lab) -> None:
        nobody = pwd.getpwnam("nobody")
        home.parent.mkdir()
        os.chown(home.parent, nobody.pw_uid, nobody.pw_gid)
        assert psutil.Process(lab.start(home).pid).uids().real == nobody.pw_uid
        made = [home, home / "postgres", *(home / "postgres").iterdir()]
        assert {path.stat().st_uid for path in made} == {nobody.pw_uid}

    @needs_root
    @needs_linux
    def test_a_folder_that_all_may_enter_takes_no_capability(
        self, postgres_binaries: Path | None, open_folder: Path
    ) -> None:
        binaries = reachable_binaries(pwd.getpwnam("postgres"), postgres_binaries)
        with embedded.throwaway(open_folder, binaries=binaries) as server:
            assert capabilities(server.pid) == 0

    @needs_root
    @needs_linux
    def test_a_closed_folder_takes_the_capability_to_read_and_no_other(
        self, shared: EmbeddedServer
    ) -> None:
        assert capabilities(shared.pid) == 1 << postgres_host.CAP_DAC_READ_SEARCH

    @needs_root
    @needs_linux
    def test_the_capability_that_docker_grants_suffices(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lab
    ) -> None:
        tmp_path.chmod(0o700)
        override = 1 << postgres_host.CAP_DAC_OVERRIDE
        monkeypatch.setattr(postgres_host, "_held_capabilities", lambda: override)
        assert lab.fetch(lab.start(home), "select 1") == 1

    @needs_root
    def test_root_without_a_way_in_is_told_what_to_do(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lab
    ) -> None:
        tmp_path.chmod(0o700)
        monkeypatch.setattr(postgres_host, "_held_capabilities", lambda: 0)
        with pytest.raises(EmbeddedPostgresError, match=r"Move the project.*or set DATABASE_URL"):
            lab.start(home)

    @needs_root
    def test_a_plain_user_starts_writes_and_stops(
        self, postgres_binaries: Path | None, open_folder: Path, lab
    ) -> None:
        user = pwd.getpwnam("nobody")
        binaries = reachable_binaries(user, postgres_binaries)
        os.chown(open_folder, user.pw_uid, user.pw_gid)
        home = open_folder / ".holdfast"

        def use() -> None:
            server = embedded.start(home, binaries=binaries)
            assert embedded.start(home) == server
            assert lab.fetch(server, "select 1") == 1
            assert psutil.Process(server.pid).uids().real == user.pw_uid
            lab.kill(server.pid)
            assert lab.fetch(embedded.start(home, binaries=binaries), "select 1") == 1
            assert embedded.stop(home)

        lab.run_as(user.pw_uid, user.pw_gid, use)
        assert open_folder.stat().st_mode & 0o777 == 0o755

    @needs_root
    def test_another_user_is_told_whose_server_it_is(self, home: Path, lab) -> None:
        lab.start(home)
        for path in (home, *home.parents):
            if path.stat().st_mode & 0o5 != 0o5 and path.is_relative_to(tempfile.gettempdir()):
                path.chmod(0o755)

        def use() -> None:
            with pytest.raises(EmbeddedPostgresError, match="for the user who set it up"):
                embedded.start(home)

        nobody = pwd.getpwnam("nobody")
        lab.run_as(nobody.pw_uid, nobody.pw_gid, use)


def capabilities(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("CapEff:")[2].split()[0], 16)


def reachable_binaries(user: pwd.struct_passwd, wanted: Path | None) -> Path:
    """Programs that the user may run, or a skip: a checkout under /root has none for nobody."""
    account = postgres_host.Account(user.pw_name, user.pw_uid, user.pw_gid, owns_project=True)
    candidates = [wanted] if wanted else [*postgres_host._candidates()]
    for folder in candidates:
        if (folder / "postgres").exists() and account.can_reach(folder / "postgres"):
            return folder
    pytest.skip(f"no Postgres programs in a folder that {user.pw_name} may enter: {candidates}")


SEALED = (
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount --bind "$0" "$0" && mount -o remount,ro,bind / && exec "$@"',
)


def can_seal() -> bool:
    if shutil.which(SEALED[0]) is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run([*SEALED, folder, "true"], capture_output=True, check=False)
    return tried.returncode == 0


class TestItsPlace:
    @pytest.mark.skipif(not can_seal(), reason="this user or machine may not mount")
    def test_it_starts_where_nothing_but_its_home_can_be_written(self, home: Path, lab) -> None:
        home.mkdir(parents=True)
        script = (
            "try: Path('/holdfast-was-here').touch()\n"
            "except OSError as error: print(error.strerror)\n"
            "print(embedded.start(home, binaries=binaries))"
        )
        said = lab.said_by(script, home, *SEALED, str(home)).splitlines()
        assert said == ["Read-only file system", repr(lab.start(home))]

    def test_everything_in_it_is_closed_to_others_but_the_way_to_the_data(
        self, shared: EmbeddedServer
    ) -> None:
        folder = shared.data_directory.parent
        assert folder.stat().st_mode & 0o777 == 0o711, "the server's user passes, and sees nothing"
        for path in folder.iterdir():
            assert path.stat().st_mode & 0o077 == 0, path
