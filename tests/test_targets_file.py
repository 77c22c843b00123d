"""targets.yaml, changed by the command line: only the lines that it was asked for."""

import difflib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.errors import ConfigurationError
from pipelines.paths import ROOT
from pipelines.providers.provider import Target
from pipelines.targets import load_targets, make_target
from pipelines.targets_file import add_target, remove_target

PRINCIPAL = "SP318Q55DEKHRXJK696033DQN5C54D9K2EE6DHRWP"
ASSET = make_target("catenis", {"asset_id": "aDWsoPzNJhqRpR4Ry9nB", "label": "New: one"})
ITEM = make_target("altura", {"address": f"0x{'1' * 40}", "token_id": "7"})
VAULT = make_target("hiro", {"principal": PRINCIPAL, "asset_identifiers": [f"{PRINCIPAL}.a::b"]})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "targets.yaml"


def change(path: Path, text: str, action: Callable[..., object], target: Target) -> list[str]:
    """The lines that an action puts in (+) and takes out (-) of a file with that text."""
    path.write_bytes(text.encode())
    action(path, target)
    compared = difflib.ndiff(text.splitlines(), path.read_bytes().decode().splitlines())
    return [line for line in compared if line.startswith(("+", "-"))]


def test_a_target_is_added_after_the_last_one_of_its_provider(path: Path) -> None:
    text = (ROOT / "targets.example.yaml").read_text()
    assert change(path, text, add_target, VAULT) == [
        f"+     - principal: {PRINCIPAL}",
        "+       asset_identifiers:",
        f"+         - {PRINCIPAL}.a::b",
    ]
    lines = path.read_text().splitlines()
    assert lines[lines.index(f"        - {PRINCIPAL}.a::b") + 1] == ""
    assert load_targets(path).find(VAULT.name) == VAULT


def test_an_empty_list_in_brackets_gives_way_to_the_first_target(path: Path) -> None:
    text = (ROOT / "targets.example.yaml").read_text()
    assert change(path, text, add_target, ITEM) == [
        "-   targets: []",
        "+   targets:",
        f"+     - address: '0x{'1' * 40}'",
        "+       token_id: 7",
    ]
    assert load_targets(path).find(ITEM.name) == ITEM


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# mine\n",
        "hiro:\n  targets: []",
        "catenis:\n",
        "catenis:",
        "catenis: {}\n",
        "catenis: {} # none yet\nhiro:\n",
        "catenis:\n  cron: '* * * * *'\n\nhiro:\n  targets:\n",
        "catenis:\n  targets:\n",
        "catenis:\n  targets: # none yet\n  cron: '* * * * *'\n",
        "catenis:\n  targets:\n  - asset_id: aQjlzShmrnEZeeYBZihc # the first\n\n# the end\n",
        "catenis:\n  targets:\n  - {asset_id: aQjlzShmrnEZeeYBZihc}",
        "catenis:\r\n  targets:\r\n    - asset_id: aQjlzShmrnEZeeYBZihc\r\n",
        "catenis:\n  targets:\n  -\n    label: 'a\n     b'\n    asset_id: aQjlzShmrnEZeeYBZihc\n",
    ],
)
def test_a_target_is_added_however_the_file_is_laid_out(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
    assert add_target(path, ASSET).find("New: one") == ASSET
    assert load_targets(path).find("New: one") == ASSET
    written = path.read_bytes().decode()
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert [line for line in written.splitlines() if line.startswith("#")] == comments
    assert ("\r\n" in text) == ("\r\n" in written)
    assert written.count("\n") == written.count("\r\n") or "\r\n" not in text


def test_what_can_not_be_added_safely_is_shown_to_be_added_by_hand(path: Path) -> None:
    text = "catenis: {targets: [{asset_id: aQjlzShmrnEZeeYBZihc}]}\n"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="by hand:\n    - label: 'New: one'\n      asset"):
        add_target(path, ASSET)
    assert path.read_text() == text


def test_a_file_that_is_not_there_is_made(path: Path) -> None:
    add_target(path, ASSET)
    assert load_targets(path).find("New: one") == ASSET


def test_a_target_that_is_watched_already_is_not_added_twice(path: Path) -> None:
    add_target(path, ASSET)
    with pytest.raises(ConfigurationError, match=r"watches catenis:aDWso.* already"):
        add_target(path, make_target("catenis", {"asset_id": ASSET.subject}))


def test_a_file_with_mistakes_stays_as_it_is(path: Path) -> None:
    path.write_text("catenis:\n  targets:\n    - asset: 1\n")
    with pytest.raises(ConfigurationError, match=r"targets\.yaml:3: "):
        add_target(path, ASSET)
    assert "New" not in path.read_text()


def test_mistakes_of_a_new_target_are_all_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_target("altura", {"address": "0x12", "tokenid": "1"})
    assert str(caught.value).splitlines() == [
        "2 mistakes in the altura target:",
        "  unknown key 'tokenid', did you mean token_id?",
        "  address: expected the collection's address, 0x and 40 hexadecimal digits, found '0x12'",
    ]


def test_a_target_is_removed_with_its_lines_alone(path: Path) -> None:
    text = (
        "catenis: # points\n  targets:\n    # the first\n    - asset_id: aQjlzShmrnEZeeYBZihc\n"
        "\n    - label: 'New: one' # gone soon\n      asset_id: aDWsoPzNJhqRpR4Ry9nB\n\n# end\n"
    )
    assert change(path, text, remove_target, ASSET) == [
        "-     - label: 'New: one' # gone soon",
        "-       asset_id: aDWsoPzNJhqRpR4Ry9nB",
    ]


def test_the_last_target_of_a_provider_can_be_removed(path: Path) -> None:
    add_target(path, ASSET)
    remove_target(path, ASSET)
    assert list(load_targets(path).targets()) == []


def test_what_can_not_be_removed_safely_is_named_with_its_line(path: Path) -> None:
    entries = f"{{asset_id: {ASSET.subject}}}, {{asset_id: aQjlzShmrnEZeeYBZihc}}"
    text = f"catenis:\n  targets: [{entries}]\n"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"targets\.yaml:2: .* by hand"):
        remove_target(path, ASSET)
    assert path.read_text() == text


def test_a_link_stays_a_link_and_the_mode_stays(path: Path, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere.yaml"
    place.write_text("catenis:\n")
    place.chmod(0o640)
    path.symlink_to(place)
    add_target(path, ASSET)
    assert path.is_symlink()
    assert place.stat().st_mode & 0o777 == 0o640
    assert load_targets(place).find("New: one") == ASSET


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot write .*: No such file"):
        add_target(tmp_path / "nowhere" / "targets.yaml", ASSET)


def test_targets_added_at_once_are_all_kept(path: Path) -> None:
    addresses = [f"0x{number:040x}" for number in range(1, 25)]
    targets = [make_target("altura", {"address": one, "token_id": "1"}) for one in addresses]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda target: add_target(path, target), targets))
    assert sorted(load_targets(path).names()) == sorted(target.name for target in targets)


def test_a_label_that_is_taken_is_told(path: Path) -> None:
    add_target(path, ASSET)
    twin = make_target("catenis", {"asset_id": "aQjlzShmrnEZeeYBZihc", "label": ASSET.label})
    with pytest.raises(ConfigurationError, match="the label 'New: one' is taken by catenis:aDWso"):
        add_target(path, twin)
