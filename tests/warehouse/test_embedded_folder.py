"""The embedded server's folder: moved, copied, shared with a container, damaged, of old data.

The one thing that must never happen is two servers on one data directory.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.errors import EmbeddedPostgresError
from pipelines.warehouse import embedded, postgres_host
from pipelines.warehouse.embedded import EmbeddedServer

Start = Callable[[], EmbeddedServer]

CONTAINER = ("unshare", "--pid", "--ipc", "--fork", "--mount-proc", "--kill-child")


def can_unshare() -> bool:
    program = shutil.which(CONTAINER[0])
    tried = program and subprocess.run([*CONTAINER, "true"], capture_output=True, check=False)
    return bool(tried) and tried.returncode == 0


needs_containers = pytest.mark.skipif(
    not can_unshare(), reason="this user or machine may not make a pid namespace (unshare)"
)


@pytest.fixture
def copy(home: Path) -> Iterator[Path]:
    """Where a copy of the project's state goes; its server is stopped at the end."""
    path = home.with_name("copy")
    yield path
    embedded.stop(path)


class TestMoved:
    def test_while_it_runs_it_is_found_under_the_new_name(
        self, home: Path, start: Start, lab
    ) -> None:
        first = start()
        moved = home.with_name("renamed")
        home.rename(moved)
        try:
            assert lab.start(moved).pid == first.pid
            assert embedded.status(home) is None
            assert embedded.stop(moved)
            lab.keep(lab.start(moved))
        finally:
            moved.rename(home)
        assert lab.kept(start()) == [42]

    def test_while_it_is_stopped_it_goes_on_under_the_new_name_and_the_old_port(
        self, home: Path, start: Start, lab
    ) -> None:
        first = start()
        lab.keep(first)
        embedded.stop(home)
        moved = home.with_name("renamed")
        home.rename(moved)
        try:
            server = lab.start(moved)
            assert lab.kept(server) == [42]
            assert server.url == first.url
            embedded.stop(moved)
        finally:
            moved.rename(home)


class TestCopied:
    def test_while_stopped_it_runs_beside_the_original_on_a_port_of_its_own(
        self, home: Path, start: Start, lab, copy: Path
    ) -> None:
        first = start()
        lab.keep(first)
        embedded.stop(home)
        shutil.copytree(home, copy)
        second = lab.start(copy)
        assert second.port != first.port, "who remembers the original's address gets the copy"
        lab.keep(second, 43)
        original = start()
        assert original.port == first.port
        assert (lab.kept(original), lab.kept(second)) == ([42], [42, 43])

    def test_while_it_runs_it_recovers_and_leaves_the_original_alone(
        self, home: Path, start: Start, lab, copy: Path
    ) -> None:
        first = start()
        lab.keep(first)
        shutil.copytree(home, copy)
        assert (copy / "postgres" / "data" / "postmaster.pid").exists()
        assert embedded.status(copy) is None
        assert not embedded.stop(copy)
        second = lab.start(copy)
        assert (second.pid, second.port) != (first.pid, first.port)
        lab.keep(second, 43)
        assert (lab.kept(first), lab.kept(second)) == ([42], [42, 43])
        assert embedded.stop(copy)
        assert embedded.status(home) == first

    def test_while_it_runs_and_without_its_log_of_writes_says_what_to_do(
        self, home: Path, start: Start, lab, copy: Path
    ) -> None:
        start()
        shutil.copytree(home, copy, ignore=lambda _, names: [n for n in names if len(n) == 24])
        with pytest.raises(EmbeddedPostgresError, match=r"damaged.*copied from a server that ran"):
            lab.start(copy)
        assert embedded.status(copy) is None

    def test_by_someone_who_lost_owner_and_permissions_it_is_put_right(
        self, home: Path, start: Start, lab, copy: Path
    ) -> None:
        lab.keep(start())
        embedded.stop(home)
        shutil.copytree(home, copy, copy_function=shutil.copyfile)
        (copy / "postgres" / "data").chmod(0o777)
        assert lab.kept(lab.start(copy)) == [42]


@needs_containers
class TestSharedWithAContainer:
    INSIDE = """
for act in (lambda: embedded.start(home, binaries=binaries), lambda: embedded.stop(home)):
    try:
        print(act())
    except EmbeddedPostgresError as error:
        print(error)
"""
    START_INSIDE = """
print(embedded.start(home, binaries=binaries).pid, flush=True)
sys.stdin.readline()
print(embedded.stop(home), flush=True)
"""

    def test_a_server_outside_is_not_touched_from_inside(
        self, home: Path, start: Start, lab
    ) -> None:
        first = start()
        lab.keep(first)
        said = lab.said_by(self.INSIDE, home, *CONTAINER).splitlines()
        assert len(said) == 2
        for line in said:
            assert "another container or machine shares this folder" in line
            assert socket.gethostname() in line
            assert "DATABASE_URL" in line
        assert start() == first
        assert lab.kept(first) == [42]

    def test_a_server_inside_is_not_touched_from_outside(
        self, home: Path, start: Start, lab
    ) -> None:
        with lab.running(self.START_INSIDE, home, *CONTAINER) as container:
            assert int(container.stdout.readline()) > 0
            assert embedded.status(home) is None
            for act in (start, lambda: embedded.stop(home)):
                with pytest.raises(EmbeddedPostgresError, match="another container or machine"):
                    act()
            container.stdin.write("\n")
            container.stdin.flush()
            assert container.stdout.readline() == "True\n"
        assert lab.fetch(start(), "select 1") == 1

    def test_a_container_that_was_killed_leaves_the_data_to_the_next(
        self, home: Path, start: Start, lab
    ) -> None:
        with lab.running(self.START_INSIDE, home, *CONTAINER) as container:
            container.stdout.readline()
            container.kill()
        assert lab.fetch(start(), "select 1") == 1


class TestSmallFiles:
    @pytest.mark.parametrize("content", [None, b"", b"\xff\n", b"a b@c"])
    def test_a_password_that_is_lost_or_garbled_is_replaced_while_the_server_runs(
        self, home: Path, start: Start, lab, content: bytes | None
    ) -> None:
        old = start()
        replace(home / "postgres" / "password", content)
        new = start()
        assert new.pid == old.pid
        assert new.url != old.url
        assert lab.fetch(new, "select 1") == 1

    @pytest.mark.parametrize("content", [None, b"", b"\xff\n"])
    def test_a_superuser_password_that_is_lost_is_replaced_at_the_next_start(
        self, home: Path, start: Start, lab, content: bytes | None
    ) -> None:
        lab.keep(start())
        lab.kill(*lab.processes_on(home))
        replace(home / "postgres" / "superuser-password", content)
        replace(home / "postgres" / "password", content)
        assert lab.kept(start()) == [42]
        assert (home / "postgres" / "superuser-password").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("content", [None, b"another-password-of-somebody-else"])
    def test_both_passwords_lost_while_the_server_runs_are_told_and_replaced_by_a_restart(
        self, home: Path, start: Start, lab, content: bytes | None
    ) -> None:
        lab.keep(start())
        superuser = home / "postgres" / "superuser-password"
        replace(superuser, content)
        replace(home / "postgres" / "password", None)
        with pytest.raises(EmbeddedPostgresError, match=rf"delete the file {superuser}, stop"):
            start()
        superuser.unlink(missing_ok=True)
        assert embedded.stop(home)
        assert lab.kept(start()) == [42]

    @pytest.mark.parametrize(
        "content", [None, b"", b"\xff\n", b"5432", "99999 {inode}", "1 {inode}"]
    )
    def test_a_port_that_can_not_be_is_replaced(
        self, home: Path, start: Start, lab, content: bytes | str | None
    ) -> None:
        start()
        embedded.stop(home)
        if isinstance(content, str):
            inode = (home / "postgres" / "data").stat().st_ino
            content = content.format(inode=inode).encode()
        replace(home / "postgres" / "port", content)
        server = start()
        assert server.port > 1 or os.geteuid() == 0
        assert lab.fetch(server, "select 1") == 1

    def test_data_that_others_may_read_is_closed_again(self, home: Path, start: Start, lab) -> None:
        lab.keep(start())
        embedded.stop(home)
        (home / "postgres" / "data").chmod(0o755)
        assert lab.kept(start()) == [42]
        assert (home / "postgres" / "data").stat().st_mode & 0o777 == 0o700

    def test_a_start_that_fails_quotes_the_log(self, home: Path, start: Start) -> None:
        start()
        embedded.stop(home)
        with (home / "postgres" / "data" / "postgresql.conf").open("a") as config:
            config.write("shared_buffers = 'plenty'\n")
        with pytest.raises(EmbeddedPostgresError, match="ended at its start") as caught:
            start()
        assert 'invalid value for parameter "shared_buffers"' in str(caught.value)
        assert str(home / "logs" / "postgres.log") in str(caught.value)

    def test_a_large_log_makes_room_and_one_old_log_is_kept(self, home: Path, start: Start) -> None:
        log = embedded.log_file(home)
        log.parent.mkdir(parents=True)
        with log.open("wb") as file:
            file.truncate(10_000_001)
        start()
        assert sorted(path.name for path in log.parent.iterdir()) == [log.name, "postgres.log.1"]
        assert "ready to accept connections" in log.read_text()


def replace(path: Path, content: bytes | None) -> None:
    path.unlink()
    if content is not None:
        path.write_bytes(content)


class TestVersions:
    def test_data_of_another_version_gets_the_programs_of_that_version(
        self, home: Path, lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("HOLDFAST_POSTGRES_BIN", raising=False)
        usual = postgres_host.find_binaries(None)
        other = another_version(usual)
        server = embedded.start(home, binaries=other)
        lab.keep(server)
        embedded.stop(home)
        again = embedded.start(home)
        assert again.version == server.version
        assert lab.kept(again) == [42]
        embedded.stop(home)
        with pytest.raises(EmbeddedPostgresError, match="was written by Postgres") as caught:
            embedded.start(home, binaries=usual)
        major = server.version.partition(".")[0]
        assert f"Version {major} is in {other}: name that in HOLDFAST_POSTGRES_BIN" in str(
            caught.value
        )

    @pytest.mark.parametrize(
        ("written", "message"),
        [
            ("14", "is older than 15"),
            ("99", "Looked at: .*Install Postgres 99 .*HOLDFAST_POSTGRES_BIN.*to begin anew"),
            ("", "holds no whole database"),
            ("garbage", "holds no whole database"),
        ],
    )
    def test_data_that_no_program_here_can_open_says_what_to_do(
        self, home: Path, start: Start, written: str, message: str
    ) -> None:
        data = home / "postgres" / "data"
        data.mkdir(parents=True)
        (data / "PG_VERSION").write_text(f"{written}\n")
        with pytest.raises(EmbeddedPostgresError, match=message) as caught:
            start()
        assert str(data) in str(caught.value)

    def test_a_folder_without_programs_is_named(self, home: Path, tmp_path: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match=f"{tmp_path}.*HOLDFAST_POSTGRES_BIN"):
            embedded.start(home, binaries=tmp_path)

    def test_the_setting_names_the_programs(self, tmp_path: Path) -> None:
        real = embedded.find_binaries(None)
        for program in ("postgres", "initdb"):
            (tmp_path / program).symlink_to(real / program)
        assert embedded.find_binaries(tmp_path) == tmp_path
        assert embedded.find_binaries(real) == real


def another_version(usual: Path) -> Path:
    """Programs of another major version than those in `usual`, or a skip."""
    major = postgres_host._major_version(usual)
    for folder in postgres_host._candidates():
        found = postgres_host._major_version(folder)
        if found is not None and found != major and found >= postgres_host.OLDEST_MAJOR:
            return folder
    pytest.skip(f"no Postgres here but version {major}")
