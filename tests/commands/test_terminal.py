"""What holds for every command: flags, exit codes, colours, errors, completion."""

import os
import pty
import socket
import subprocess
import sys
import threading
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import app, flags_first, refuse_foreign
from pipelines.errors import ConfigurationError
from tests.commands.conftest import CODE, COMMAND
from tests.patience import PATIENCE


def test_it_tells_its_version(holdfast):
    assert holdfast("--version").stdout == f"{metadata.version('holdfast')}\n"


@pytest.mark.parametrize(
    "command",
    [
        *(
            [],
            ["snapshot"],
            ["status"],
            ["changes"],
            ["export"],
            ["migrate"],
            ["up"],
            ["down"],
            ["demo"],
        ),
        *(["targets", name] for name in ("init", "list", "check", "add", "retire")),
        *(["postgres", name] for name in ("start", "stop", "status", "url", "psql", "logs")),
        ["sandbox", "serve"],
    ],
    ids=" ".join,
)
def test_every_command_has_a_help(command):
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage: " in done.stdout
    assert "\b" not in done.stdout


def test_a_mistake_in_the_environment_is_named_without_a_traceback(holdfast, environment):
    done = holdfast("snapshot", **(environment | {"HIRO_PAGE_SIZE": "900"}))
    assert done.returncode == 2
    assert "HIRO_PAGE_SIZE" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_where_an_error_comes_from(holdfast, environment):
    done = holdfast("snapshot", "nobody", "--debug", **environment)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "has no target 'nobody'" in done.stderr


def test_an_unknown_command_or_option_makes_exit_code_2(holdfast):
    assert holdfast("snapshoot").returncode == 2
    assert holdfast("status", "--no-such-option").returncode == 2


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        (["status", "--demo"], ["--demo", "status"]),
        (["snapshot", "-v", "A vault", "--debug"], ["-v", "--debug", "snapshot", "A vault"]),
        (["postgres", "--demo", "psql", "-v", "x=1"], ["--demo", "postgres", "psql", "-v", "x=1"]),
        (["changes", "--", "--demo"], ["changes", "--", "--demo"]),
        ([], []),
    ],
)
def test_flags_of_holdfast_itself_may_stand_after_the_command(written, understood):
    assert flags_first(written) == understood


def run_on_a_terminal(command, environment):
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, env=environment, stdout=theirs, stderr=theirs, stdin=theirs)
    os.close(theirs)
    written = b""
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:  # how Linux says that the other side is closed
            break
        if not block:
            break
        written += block
    os.close(ours)
    process.wait(PATIENCE)
    return written.decode()


def test_a_terminal_gets_colours_unless_no_color_is_set(
    clean_environment, environment, warm_python
):
    surrounding = clean_environment | environment | {"TERM": "xterm-256color"}
    command = [*warm_python.command(CODE), "snapshot", "nobody"]
    coloured = run_on_a_terminal(command, surrounding)
    assert "\x1b[31m" in coloured
    plain = run_on_a_terminal(command, surrounding | {"NO_COLOR": "1"})
    assert "has no target 'nobody'" in plain
    assert "\x1b[3" not in plain


def test_a_terminal_shows_bars_and_they_are_gone_in_the_end(clean_environment, environment):
    surrounding = clean_environment | environment | {"TERM": "xterm-256color"}
    written = run_on_a_terminal([*COMMAND, "snapshot"], surrounding)
    assert "The vault" in written
    assert "rows/s" in written
    assert "\x1b[?25h" in written  # the cursor is back
    assert "3 of 3 targets published" in written


def test_a_reader_that_goes_away_makes_no_traceback(clean_environment, environment):
    command = " ".join(f"'{word}'" for word in COMMAND)
    done = subprocess.run(
        ["bash", "-c", f"{command} targets list --json | head -1"],
        env=clean_environment | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[\n"
    assert "Traceback" not in done.stderr


def complete(holdfast, words, **environment):
    done = holdfast(
        _HOLDFAST_COMPLETE="complete_bash",
        COMP_WORDS="\n".join(["holdfast", *words]),
        COMP_CWORD=str(len(words)),
        **environment,
    )
    return done.stdout.split()


def test_the_shell_completes_commands_targets_and_values(holdfast, environment):
    surrounding = environment | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    assert complete(holdfast, ["tar"], **surrounding) == ["targets"]
    assert complete(holdfast, ["snapshot", "--provider", "ca"], **surrounding) == ["catenis"]
    assert complete(holdfast, ["changes", "--change", "ent"], **surrounding) == ["entered"]
    [name] = complete(holdfast, ["snapshot", "catenis:"], **surrounding)
    assert name.startswith("catenis:a")


def test_completion_offers_nothing_where_the_list_has_mistakes(holdfast, tmp_path):
    path = tmp_path / "targets.yaml"
    path.write_text("hirro:\n")
    done = complete(holdfast, ["snapshot", "h"], HOLDFAST_TARGETS=str(path))
    assert done == []


def test_what_a_server_sent_can_not_move_the_cursor_through_the_log(clean_environment, holdfast):
    """A title for the terminal, in the status line of an answer that is logged at each retry."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_nonsense, args=[listener], daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = {
            "HIRO_BASE_URL": url,
            "HIRO_MAX_TRIES": "2",
            "HIRO_REQUESTS_PER_MINUTE": "6000",
            "DATABASE_URL": "",
        }
        command = [*COMMAND, "snapshot", "--provider", "hiro"]
        try:
            written = run_on_a_terminal(command, clean_environment | settings | {"TERM": "xterm"})
        finally:
            assert holdfast("postgres", "stop").returncode == 0
    assert "PWNED" in written
    assert "\x1b]0;" not in written


def _answer_nonsense(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 \x1b]0;PWNED\x07 no\r\n\r\n")


def test_a_program_in_a_copied_folder_does_not_work_on_the_originals_data(tmp_path):
    refuse_foreign(Path(sys.prefix, "bin", "holdfast"))
    copied = tmp_path / "copy" / ".venv" / "bin" / "holdfast"
    copied.parent.mkdir(parents=True)
    (tmp_path / "copy" / ".venv" / "pyvenv.cfg").touch()
    with pytest.raises(ConfigurationError, match=r"copied or moved .* make install"):
        refuse_foreign(copied)


def test_a_program_that_pip_put_outside_of_a_virtual_environment_is_the_installed_one(tmp_path):
    refuse_foreign(tmp_path / ".local" / "bin" / "holdfast")
    refuse_foreign(Path("holdfast"))
