"""Names that strangers and colleagues choose come back from the database as they came, and are
shown as the characters that they consist of."""

import json
from pathlib import Path

import dagster as dg
import pytest

from pipelines.sandbox.answers import Answer
from pipelines.sandbox.world import World
from tests.orchestration import conftest as orchestration

instance = orchestration.instance
orchestra = orchestration.orchestra

HOSTILE = {
    "quotes": """'";--\\'\\" ''x''""",
    "SQL": "'); drop table snapshot; --",
    "a placeholder": "%s %(name)s :name {current} ${x}",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>&amp;",
    "markdown": "[x](javascript:alert(1)) **b** | `c` ![i](http://x/y)",
    "rich markup": "[red]x[/red][link=http://x]y[/link]",
    "a formula": "=cmd|' /C calc'!A0",
    "an ANSI escape": "\x1b[2J\x1b]8;;http://x\x07link\x1b]8;;\x07",
    "a line of its own": "x\r\nfailed: nothing\n",
    "another direction": "\u202egnp.exe",
}
WORDS = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
UNSEEN = ("\x1b", "\x07", "\r", "\u202e")
"""What a terminal would obey."""


def mint(world: World, text: str) -> str:
    """A principal that holds a token whose printed value a stranger chose."""
    key = world.add_hiro_principal(2)
    contract = "SP000000000000000000002Q6VF78.bns::names"
    value = f"0x0200000001{list(HOSTILE.values()).index(text):02x}"  # a token has one holder
    world.hiro_mint(key, contract, value, text)
    return key


@WORDS
def test_it_comes_back_from_the_database_as_it_came(pipeline, world: World, text):
    item = world.add_altura_item(0)
    world.altura_set(item, "0x" + "aa" * 20, 1, name=text)
    pipeline.take(pipeline.target(item, label=text))
    pipeline.take(mint(world, text))
    assert pipeline.sql("select name from altura_item_holders") == [(text,)]
    assert pipeline.sql("select count(*) from holding_current where token = :text", text=text) == [
        (1,)
    ]
    assert pipeline.sql("select label from target where label is not null") == [(text.strip(),)]


@pytest.fixture
def told(holdfast, environment, world: World, tmp_path: Path):
    """What the command line says of a vault whose label and whose token's value are hostile: the
    words of both, and the processes."""

    def tell(*arguments: str):
        keys = [mint(world, text) for text in HOSTILE.values()]
        targets = [
            {"principal": key.removeprefix("hiro:"), "label": text}
            for key, text in zip(keys, HOSTILE.values(), strict=True)
        ]
        Path(environment["HOLDFAST_TARGETS"]).write_text(json.dumps({"hiro": {"targets": targets}}))
        taken = holdfast("snapshot", **environment)
        assert taken.returncode == 0, taken.stderr
        for key in keys:
            world.hiro_transfer_out(key, 0)
        again = holdfast("snapshot", **environment)
        assert again.returncode == 0, again.stderr
        return [taken, again, *(holdfast(*words.split(), **environment) for words in arguments)]

    return tell


def test_tables_show_it_as_characters(told):
    processes = told("status", "changes", "targets list")
    for done in processes:
        assert done.returncode == 0, done.stderr
        for character in UNSEEN:
            assert character not in done.stdout + done.stderr
        assert "\nfailed: nothing" not in done.stdout + done.stderr
    shown = "".join(done.stdout for done in processes).replace("\n", "")
    assert "\\x1b[2J" in shown
    assert "[red]" in shown


def test_json_gives_it_back_exactly_and_a_terminal_has_nothing_to_obey(told):
    *_, status, changes = told("status --json", "changes --json --limit 1000")
    for done in (status, changes):
        for character in UNSEEN:
            assert character not in done.stdout
    labels = {target["label"] for target in json.loads(status.stdout)}
    assert labels == {text.strip() for text in HOSTILE.values()}
    exited = [change for change in json.loads(changes.stdout) if change["change"] == "exited"]
    assert {change["target"] for change in exited} == labels
    assert {change["what"] for change in exited} == {
        f"names {text[:24]}" for text in HOSTILE.values()
    }


def test_dagster_shows_it_as_characters(orchestra, pipeline, sandbox, world: World, monkeypatch):
    keys = [world.add_hiro_principal(9) for _ in HOSTILE]
    labels = dict(zip(keys, (text.strip() for text in HOSTILE.values()), strict=True))
    plain = pipeline.target
    monkeypatch.setattr(pipeline, "target", lambda key: plain(key, label=labels[key]))
    results = [orchestra.run("hiro")]
    for key in keys:
        world.hiro_transfer_out(key, 0)
    results.append(orchestra.run("hiro"))
    sandbox.before_response = _refuse
    results.append(orchestra.run("hiro"))
    assert [result.success for result in results] == [True, True, False]
    for result in results:
        for markdown in _markdown(result):
            for character in UNSEEN:
                assert character not in markdown
            bare = markdown.replace("\\<", "").replace("\\[", "").replace("\\!", "")
            assert "<script" not in bare
            assert "<img" not in bare
            assert "[x](" not in bare
            assert "![i](" not in bare
            assert "\nfailed: nothing" not in markdown


def _refuse(exchange):
    said = json.dumps({"error": "".join(HOSTILE.values())})
    return Answer(403, {}, said.encode())


def _markdown(result):
    """All that Dagster renders: descriptions and markdown metadata of checks and events."""
    for evaluation in result.get_asset_check_evaluations():
        yield evaluation.description or ""
        yield from (value.value for value in evaluation.metadata.values() if _is_markdown(value))
    for event in result.all_events:
        if event.event_type_value == "ASSET_OBSERVATION":
            observed = event.asset_observation_data.asset_observation
            yield observed.description or ""
            yield from (value.value for value in observed.metadata.values() if _is_markdown(value))


def _is_markdown(value) -> bool:
    return isinstance(value, dg.MarkdownMetadataValue)
