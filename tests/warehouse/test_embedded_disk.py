"""The embedded server on file systems that are full, read-only, without locks, or oddly named."""

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.errors import EmbeddedPostgresError
from pipelines.warehouse import embedded
from pipelines.warehouse.embedded import EmbeddedServer

Start = Callable[[], EmbeddedServer]


class Disk:
    """A file system of its own, in memory, of any size."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.home = path / ".holdfast"

    def mount(self, *options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(self.path)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.path)], check=True)

    def fill(self) -> Path:
        """Take all the space there is."""
        filler = self.path / "filler"
        with filler.open("wb", buffering=0) as file:
            for block in (b"x" * 1_000_000, b"x" * 512):
                with suppress(OSError):
                    while True:
                        file.write(block)
        return filler


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    found = Disk(tmp_path / "disk")
    found.path.mkdir()
    if shutil.which("mount") is None or not found.mount("size=300m", "mode=755"):
        pytest.skip("this user or machine may not mount")
    yield found
    found.mount("remount", "rw")
    embedded.stop(found.home)
    found.unmount()


class TestFull:
    def test_a_new_database_says_so_leaves_nothing_and_is_made_once_there_is_space(
        self, disk: Disk, lab
    ) -> None:
        disk.mount("remount", "size=20m")
        with pytest.raises(EmbeddedPostgresError, match="the disk is full") as caught:
            lab.start(disk.home)
        assert f"mounted at {disk.path}, which has" in str(caught.value)
        left = [path.name for path in (disk.home / "postgres").iterdir()]
        assert not [name for name in left if name.startswith(("data", "initdb"))]
        disk.mount("remount", "size=300m")
        assert lab.fetch(lab.start(disk.home), "select 1") == 1

    def test_a_disk_without_any_space_says_so(self, disk: Disk, lab) -> None:
        disk.home.mkdir()
        filler = disk.fill()
        with pytest.raises(EmbeddedPostgresError, match="the disk is full"):
            lab.start(disk.home)
        filler.unlink()
        assert lab.fetch(lab.start(disk.home), "select 1") == 1

    def test_data_that_exists_waits_for_space_and_is_all_there(self, disk: Disk, lab) -> None:
        lab.keep(lab.start(disk.home))
        embedded.stop(disk.home)
        filler = disk.fill()
        with pytest.raises(EmbeddedPostgresError, match="the disk is full") as caught:
            lab.start(disk.home)
        assert f"mounted at {disk.path}, which has 0 of" in str(caught.value)
        filler.unlink()
        assert lab.kept(lab.start(disk.home)) == [42]

    def test_a_crash_on_a_full_disk_heals_once_there_is_space(self, disk: Disk, lab) -> None:
        server = lab.start(disk.home)
        lab.keep(server)
        filler = disk.fill()
        lab.kill(*lab.processes_on(disk.home))
        with pytest.raises(EmbeddedPostgresError, match="the disk is full"):
            lab.start(disk.home)
        filler.unlink()
        assert lab.kept(lab.start(disk.home)) == [42]


class TestReadOnly:
    def test_a_file_system_says_so(self, disk: Disk, lab) -> None:
        lab.keep(lab.start(disk.home))
        embedded.stop(disk.home)
        disk.mount("remount", "ro")
        assert embedded.status(disk.home) is None
        with pytest.raises(EmbeddedPostgresError, match=r"read-only file system.*HOLDFAST_HOME"):
            lab.start(disk.home)
        disk.mount("remount", "rw")
        assert lab.kept(lab.start(disk.home)) == [42]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
    def test_a_folder_of_ones_own_says_which_and_how_to_open_it(self, lab) -> None:
        with tempfile.TemporaryDirectory(prefix="holdfast-test-") as name:
            folder = Path(name) / "its project"
            folder.mkdir()
            os.chown(folder, 12345, 12345)
            Path(name).chmod(0o755)
            folder.chmod(0o555)

            def use() -> None:
                remedy = re.escape(f"chmod u+rwx '{folder}'")
                with pytest.raises(EmbeddedPostgresError, match=remedy):
                    embedded.start(folder / ".holdfast")
                folder.chmod(0o755)
                (folder / ".holdfast/postgres/data").mkdir(parents=True)
                (folder / ".holdfast/postgres/data/postmaster.pid").touch(mode=0o000)
                with pytest.raises(EmbeddedPostgresError, match=r"chmod u\+rw '.*postmaster.pid'"):
                    embedded.start(folder / ".holdfast")

            lab.run_as(12345, 12345, use)


@pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() not in {"x86_64", "aarch64"},
    reason="seccomp makes the kernel refuse locks, by numbers known for x86-64 and arm64",
)
class TestWithoutLocks:
    @pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
    def test_it_does_not_start_and_says_why(self, home: Path, lab, error: str) -> None:
        script = (
            "import ctypes, errno, struct\n"
            f"refuse, flock = errno.{error}, {73 if platform.machine() == 'x86_64' else 32}\n"
            # From <linux/filter.h>, <linux/seccomp.h>: flock → the error, all else → allowed.
            "rules = struct.pack('HBBI' * 4, 0x20, 0, 0, 0, 0x15, 0, 1, flock,\n"
            "                    0x06, 0, 0, 0x00050000 | refuse, 0x06, 0, 0, 0x7FFF0000)\n"
            "buffer = ctypes.create_string_buffer(rules)\n"
            "program = struct.pack('HxxxxxxP', 4, ctypes.addressof(buffer))\n"
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            "assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS\n"
            "assert libc.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP\n"
            "try: print(embedded.start(home, binaries=binaries))\n"
            "except EmbeddedPostgresError as error: print(error)\n"
        )
        said = lab.said_by(script, home)
        assert f"{home / 'postgres'} has no file locks" in said
        assert "HOLDFAST_HOME" in said
        assert "Traceback" not in said


class TestPaths:
    def test_a_home_may_have_any_name(self, tmp_path: Path, lab) -> None:
        home = tmp_path / 'it\'s a "förlag" 名 $HOME `id` \\ % ; #' / ".holdfast"
        server = lab.start(home)
        lab.keep(server)
        assert lab.start(home) == server
        lab.kill(server.pid)
        assert lab.kept(lab.start(home)) == [42]
        assert embedded.stop(home)

    def test_a_home_may_have_a_long_path_and_a_longer_one_is_told(
        self, tmp_path: Path, lab
    ) -> None:
        deep = tmp_path
        while len(str(deep)) < 840:
            deep /= "x" * 50
        assert lab.fetch(lab.start(deep), "select 1") == 1
        assert embedded.stop(deep)
        deeper = deep / ("y" * 100)
        with pytest.raises(EmbeddedPostgresError, match=r"960 bytes.*Move the project"):
            lab.start(deeper)
        with pytest.raises(EmbeddedPostgresError, match="Move the project"):
            lab.start(tmp_path / ("z" * 300))
