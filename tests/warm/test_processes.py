"""A warm process is, to whoever starts it, the process that a cold one would be."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.patience import PATIENCE

WAITING = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


@pytest.fixture
def run(warm_python):
    def run(code, *arguments, **how):
        command = [*warm_python.command(code), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False, **how
        )

    return run


@pytest.fixture
def waiting(warm_python):
    """A process that runs, by its client, and its own pid."""
    with subprocess.Popen(
        warm_python.command(WAITING), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as client:
        yield client, int(client.stdout.readline())
        client.kill()


@pytest.mark.parametrize(
    "code",
    [
        "import os, sys; print(sys.argv, os.environ, os.getcwd(), input(), __name__, sys.path[0])",
        "raise SystemExit(3)",
        "raise SystemExit('why')",
        "import sys; sys.stdout.write('half a line'); sys.stderr.write('a message')",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    ],
)
def test_it_does_and_ends_as_a_cold_one(run, tmp_path, code):
    how = {"env": {"ONE": "1"}, "cwd": tmp_path, "input": "typed\n"}
    warm = run(code, "a", "b c", **how)
    cold = subprocess.run(
        [sys.executable, "-c", code, "a", "b c"],
        capture_output=True,
        text=True,
        check=False,
        **how,
    )
    assert (warm.stdout, warm.stderr, warm.returncode) == (
        cold.stdout,
        cold.stderr,
        cold.returncode,
    )


def test_an_exception_ends_it_with_a_traceback(run):
    done = run("1 / 0")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("\nZeroDivisionError: division by zero\n")


def test_what_it_leaves_to_be_done_at_its_end_is_done(run):
    done = run("import atexit; atexit.register(print, 'last'); print('first', end=' ')")
    assert done.stdout == "first last\n"


def test_the_projects_modules_are_imported_anew_and_its_libraries_are_there_already(run):
    done = run("import sys; print('pandas' in sys.modules, 'pipelines.settings' in sys.modules)")
    assert done.stdout == "True False\n"


def test_one_knows_nothing_of_another(run):
    run("import os, sys; os.environ['LEFT'] = '1'; sys.left = 1; os.chdir('/')")
    done = run("import os, sys; print('LEFT' in os.environ, hasattr(sys, 'left'), os.getcwd())")
    assert done.stdout == f"False False {Path.cwd()}\n"


def test_two_run_at_once(waiting, run):
    assert run("print('meanwhile')").stdout == "meanwhile\n"


def test_a_signal_reaches_it_and_how_it_ends_is_told(waiting):
    client, _ = waiting
    client.send_signal(signal.SIGINT)
    _, messages = client.communicate(timeout=PATIENCE)
    assert messages.endswith("KeyboardInterrupt\n")
    assert client.returncode == -signal.SIGINT


def test_it_is_killed_with_its_client_and_its_client_with_it(waiting, warm_python):
    client, pid = waiting
    os.kill(pid, signal.SIGKILL)
    assert client.wait(PATIENCE) == -signal.SIGKILL
    with subprocess.Popen(
        warm_python.command(WAITING), stdout=subprocess.PIPE, text=True
    ) as another:
        process = psutil.Process(int(another.stdout.readline()))
        another.kill()
        psutil.wait_procs([process], timeout=PATIENCE)
        assert not process.is_running()
