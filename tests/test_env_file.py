"""The .env file: what is read from it, and what is told of lines that can't be."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.env_file import EnvFile, read_env_file
from pipelines.errors import ConfigurationError

OURS = ["HOLDFAST_HOME", "HIRO_API_KEY", "HIRO_PAGE_SIZE"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def read(file: Path, text: str | bytes) -> EnvFile:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_env_file(file, OURS)


def mistakes(file: Path, text: str) -> list[str]:
    found = read(file, text).mistakes
    assert all(mistake.path == file for mistake in found)
    return [f"{mistake.line}: {mistake.text}" for mistake in found]


# --- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("HIRO_API_KEY=k", "k"),
        ("  HIRO_API_KEY = k  ", "k"),
        ("export HIRO_API_KEY=k", "k"),
        ("hiro_api_key=k", "k"),
        ("HIRO_API_KEY=k # mine", "k"),
        ("HIRO_API_KEY=k#1", "k#1"),
        ('HIRO_API_KEY="k # 1"', "k # 1"),
        ("HIRO_API_KEY='k'", "k"),
        ("HIRO_API_KEY=ключ", "ключ"),
        ("\ufeffHIRO_API_KEY=k", "k"),
        ("HIRO_API_KEY=k\r", "k"),
        ("BASE=k\nHIRO_API_KEY=${BASE}1", "k1"),
    ],
)
def test_a_line_gives_a_value(file: Path, line: str, value: str) -> None:
    assert read(file, f"{line}\n").values["HIRO_API_KEY"] == value


def test_a_name_has_its_line_whatever_is_before_it(file: Path) -> None:
    text = "# one\n\nBASE='two\nlines'\n\n\r\n  HIRO_API_KEY=k\nHIRO_PAGE_SIZE=5"
    assert read(file, text).lines == {"BASE": 3, "HIRO_API_KEY": 7, "HIRO_PAGE_SIZE": 8}


def test_an_empty_value_is_none(file: Path) -> None:
    found = read(file, "HIRO_API_KEY=\nHIRO_PAGE_SIZE=''\n")
    assert (found.values, found.mistakes) == ({}, ())


@pytest.mark.parametrize(
    "text", ["HIRO_API_KEY=\nHIRO_API_KEY=k\n", "HIRO_API_KEY=k\nHIRO_API_KEY="]
)
def test_an_empty_line_takes_nothing_away_from_a_full_one(file: Path, text: str) -> None:
    found = read(file, text)
    assert found.values == {"HIRO_API_KEY": "k"}
    assert found.lines["HIRO_API_KEY"] == text.splitlines().index("HIRO_API_KEY=k") + 1
    assert not found.mistakes


def test_no_file_holds_nothing(file: Path) -> None:
    assert read_env_file(file, OURS) == EnvFile(file)
    assert read_env_file(None, OURS) == EnvFile(None)


def test_a_named_pipe_is_as_good_as_a_file(file: Path) -> None:
    os.mkfifo(file)
    with ThreadPoolExecutor() as threads:
        writing = threads.submit(file.write_text, "HIRO_API_KEY=k\n")
        assert read_env_file(file, OURS).values == {"HIRO_API_KEY": "k"}
        writing.result()


# --- lines that can't be used ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        'HIRO_API_KEY="hunter2',
        "HIRO_API_KEY='hunter2",
        'HIRO_API_KEY="hunter2" hunter2',
        "HIRO_API_KEY: hunter2",
        "=hunter2",
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_not_shown(file: Path, line: str) -> None:
    (found,) = mistakes(file, f"HIRO_PAGE_SIZE=5\n\n{line}\n")
    assert found.startswith("3: not NAME=value: is a quote left open")
    assert "hunter2" not in found


def test_the_lines_after_one_that_cannot_be_read_still_count(file: Path) -> None:
    assert read(file, "HIRO_API_KEY='k\nHIRO_PAGE_SIZE=5\n").values == {"HIRO_PAGE_SIZE": "5"}


def test_the_parser_adds_no_message_of_its_own(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        mistakes(file, "HIRO_API_KEY='k\n")
    assert not caplog.records


@pytest.mark.parametrize("first", ["HIRO_API_KEY", "OTHER"])
def test_a_quote_that_closes_lines_later_is_found(file: Path, first: str) -> None:
    (found,) = mistakes(file, f"# keys\n{first}='k\nHIRO_PAGE_SIZE=5\nMORE='\n")
    assert found == f"2: {first} goes on to line 4: is a quote left open?"


def test_others_may_have_values_of_several_lines(file: Path) -> None:
    assert not mistakes(file, "PRIVATE_KEY='begin\nabc=\nend'\nHIRO_PAGE_SIZE=5\n")


def test_a_setting_that_is_given_twice_is_a_mistake(file: Path) -> None:
    text = "HIRO_API_KEY=k\nOTHER=1\nOTHER=2\nhiro_api_key=l\n"
    assert mistakes(file, text) == ["4: HIRO_API_KEY is given twice, see line 1"]


def test_a_setting_without_an_equals_sign_is_a_mistake(file: Path) -> None:
    text = "set\nHIRO_API_KEY\n"
    assert mistakes(file, text) == ["2: HIRO_API_KEY has no =: write HIRO_API_KEY=…"]


# --- files that can't be used ---------------------------------------------------------------------


def refusal(file: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_env_file(file, OURS)
    return str(caught.value)


def test_what_is_not_utf_8_is_told_with_its_line(file: Path) -> None:
    file.write_bytes("HIRO_PAGE_SIZE=5\nHIRO_API_KEY=clé\n".encode("latin-1"))
    assert refusal(file) == f"{file}:2: not UTF-8 text: save the file in that encoding"


def test_utf_16_is_told(file: Path) -> None:
    file.write_text("HIRO_PAGE_SIZE=5\n", encoding="utf-16")
    assert refusal(file).startswith(f"{file}:1: not UTF-8 text")


def test_a_folder_of_that_name_is_told(file: Path) -> None:
    file.mkdir()
    assert refusal(file) == f"{file} can't be read: Is a directory"


def test_a_link_that_leads_nowhere_is_told(file: Path) -> None:
    file.symlink_to("gone")
    assert refusal(file) == f"{file} can't be read: No such file or directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(file: Path) -> None:
    file.write_text("HIRO_PAGE_SIZE=5\n", encoding="utf-8")
    file.chmod(0)
    assert refusal(file) == f"{file} can't be read: Permission denied"
