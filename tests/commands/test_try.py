"""`holdfast demo` and `holdfast sandbox serve`."""

import signal
import socket

from tests.patience import PATIENCE


def test_the_demo_takes_its_rounds_and_a_second_one_goes_on(holdfast):
    try:
        for rounds in (2, 1):
            done = holdfast("demo", "--rounds", str(rounds))
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout.count("8 snapshots published") == rounds
            assert "Three things to try next" in done.stdout
        assert holdfast("--demo", "status").stdout.count("double_collect") == 3
        asked = holdfast("postgres", "--demo", "psql", "-Atc", "select count(*) from snapshot")
        assert asked.stdout.strip() == "24"
    finally:
        assert holdfast("--demo", "postgres", "stop").returncode == 0


def test_the_lines_of_sandbox_serve_point_another_shell_at_it(holdfast, start_holdfast):
    serving = start_holdfast("sandbox", "serve", "--port", "0", "--tick", "0")
    lines = [serving.stdout.readline().strip() for _ in range(10)]
    environment = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    done = holdfast("snapshot", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 of 6 targets published" in done.stdout
    assert holdfast("postgres", "stop", **environment).returncode == 0


def test_a_port_that_is_taken_is_told_in_a_line(holdfast):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = holdfast("sandbox", "serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "can't listen on port" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_the_demo_though_dagster_is_at_work(holdfast, start_holdfast):
    running = start_holdfast("demo")
    while "Round 1" not in running.stdout.readline():
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, messages = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert messages.count("Interrupted. What was published stays") == 1
    assert "Traceback" not in messages
    assert holdfast("--demo", "down").returncode == 0
