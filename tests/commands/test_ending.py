"""What a command undoes however it ends, also where it does not get to the end of its blocks."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

HELD_UP = """
import sys, time
from pathlib import Path
from pipelines.commands import terminal
from pipelines.commands.whole_file import appearing_whole

file, way, patience = sys.argv[1:]
terminal.PATIENCE = float(patience)
if way == "raised":
    terminal.interrupt_at_once()
else:
    terminal.leave_on_interrupt(terminal.LEFT)
with appearing_whole(Path(file), force=False) as sink:
    sink.write(b"half")
    saying = "at work"
    while True:
        try:
            print(saying, flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            saying = "held up"
"""
"""As a server that does not answer, or a machine that is too busy, holds a command up."""

NEVER = str(10 * PATIENCE)

FAILING = """
import sys, time
from pipelines import cli
from pipelines.errors import WarehouseInterrupted

@cli.app.command()
def fail_when_interrupted():
    try:
        print("at work", flush=True)
        time.sleep(600)
    except KeyboardInterrupt:
        raise WarehouseInterrupted("canceling statement due to user request")

sys.argv[1:] = ["fail-when-interrupted"]
cli.main()
"""


@pytest.mark.parametrize(
    ("numbers", "way", "patience", "code"),
    [
        ([signal.SIGINT], "raised", "0.1", 130),
        ([signal.SIGINT, signal.SIGINT], "raised", NEVER, 130),
        ([signal.SIGINT], "awaited", NEVER, 130),
        ([signal.SIGTERM], "raised", NEVER, -signal.SIGTERM),
        ([signal.SIGHUP], "raised", NEVER, -signal.SIGHUP),
        ([signal.SIGINT, signal.SIGTERM], "raised", NEVER, -signal.SIGTERM),
    ],
    ids=["Ctrl-C", "Ctrl-C twice", "Ctrl-C in the demo", "SIGTERM", "SIGHUP", "Ctrl-C, SIGTERM"],
)
def test_a_command_that_is_held_up_leaves_no_half_file(
    tmp_path: Path, numbers: list[signal.Signals], way: str, patience: str, code: int
):
    file = tmp_path / "rows.csv"
    command = [sys.executable, "-c", HELD_UP, str(file), way, patience]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "at work\n"
        assert [part.suffix for part in tmp_path.iterdir()] == [".part"]
        for number in numbers[:-1]:
            process.send_signal(number)
            assert process.stdout.readline() == "held up\n"
        process.send_signal(numbers[-1])
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, said
    assert list(tmp_path.iterdir()) == []
    assert ("What was published stays" in said) is (numbers[-1] is signal.SIGINT)
    assert "Traceback" not in said


def test_what_fails_after_ctrl_c_is_an_interrupt_and_no_failure():
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", FAILING], text=True, **pipes) as process:
        assert process.stdout.readline() == "at work\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (130, "Interrupted.\n")
