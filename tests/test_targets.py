"""targets.yaml: what is read from it, and how each mistake in it is told."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from pipelines.errors import ConfigurationError
from pipelines.paths import ROOT
from pipelines.providers import c32
from pipelines.sandbox.world import World
from pipelines.targets import Watch, WatchList, load_targets, parse_targets

Load = Callable[[str], WatchList]

ADDRESS = "0x0123456789abcdef0123456789abcdef01234567"
PRINCIPAL = "SP318Q55DEKHRXJK696033DQN5C54D9K2EE6DHRWP"
CANDY = "SPQZF23W7SEYBFG5JQ496NMY0G7379SRYEDREMSV.Candy::candy"
ASSET = "aQjlzShmrnEZeeYBZihc"

GOOD = f"""\
altura:
  cron: "7 * * * *"
  targets:
    - label: My item
      address: {ADDRESS.upper().replace("X", "x")}
      token_id: {2**256 - 1}
    - address: "{ADDRESS}"
      token_id: 1
      include_listed: false
      allow_empty: true
hiro:
  cron: "17 * * * *"
  targets:
    - principal: {PRINCIPAL}
    - principal: {PRINCIPAL}
      asset_identifiers:
        - {CANDY}
        - {PRINCIPAL}.a::b
        - {CANDY}
catenis:
  targets:
    - label: Points
      asset_id: {ASSET}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "targets.yaml"


@pytest.fixture
def load(path: Path) -> Load:
    def write_and_load(text: str) -> WatchList:
        path.write_text(text, encoding="utf-8")
        return load_targets(path)

    return write_and_load


@pytest.fixture
def good(load: Load) -> WatchList:
    return load(GOOD)


# --- a good file ----------------------------------------------------------------------------------


def test_targets_are_named_by_what_changes_the_answer(good: WatchList) -> None:
    assert [target.name for target in good.targets()] == [
        f"altura:{ADDRESS}/{2**256 - 1}",
        f"altura:{ADDRESS}/1?include_listed=false",
        f"hiro:{PRINCIPAL}",
        f"hiro:{PRINCIPAL}?asset_identifiers={PRINCIPAL}.a::b,{CANDY}",
        f"catenis:{ASSET}",
    ]


def test_each_provider_has_its_own_times(good: WatchList) -> None:
    crons = {name: watch.cron for name, watch in good.watches.items()}
    assert crons == {"altura": "7 * * * *", "hiro": "17 * * * *", "catenis": None}


def test_labels_and_allowed_emptiness_are_kept(good: WatchList) -> None:
    assert [(target.label, target.allow_empty) for target in good.watches["altura"].targets] == [
        ("My item", False),
        (None, True),
    ]


def test_asset_identifiers_are_sorted_and_each_is_kept_once(load: Load) -> None:
    (target,) = load(
        f"hiro: {{targets: [{{principal: {PRINCIPAL},"
        f" asset_identifiers: ['{CANDY}', '{PRINCIPAL}.a::b', '{CANDY}']}}]}}"
    ).targets()
    assert target.asset_identifiers == (f"{PRINCIPAL}.a::b", CANDY)


def test_an_address_needs_no_quotes(load: Load) -> None:
    (target,) = load(f"altura: {{targets: [{{address: {ADDRESS}, token_id: 1}}]}}").targets()
    assert target.address == ADDRESS


def test_a_contract_is_a_principal(load: Load) -> None:
    name = f"{PRINCIPAL}.my-contract_2"
    (target,) = load(f"hiro: {{targets: [{{principal: {name}}}]}}").targets()
    assert target.name == f"hiro:{name}"


@pytest.mark.parametrize("text", ["altura:", "altura: {}", "altura: {targets: []}"])
def test_a_provider_may_have_no_targets(load: Load, text: str) -> None:
    assert load(text).watches == {"altura": Watch("altura", None, ())}


def test_one_subject_with_and_without_options_is_two_targets(load: Load) -> None:
    text = f"altura: {{targets: [{{address: {ADDRESS}, token_id: 1, include_listed: %s}}, %s]}}"
    other = f"{{address: {ADDRESS}, token_id: 1}}"
    assert len(list(load(text % ("false", other)).targets())) == 2


# --- mistakes -------------------------------------------------------------------------------------

TESTNET = c32.encode(26, bytes(20))

# What stands in the list of a provider, and what is told of its first line.
BAD_TARGETS = {
    "a bad address": ("altura", "- {address: 0x12, token_id: 1}", "address: .*found '0x12'"),
    "no address": ("altura", "- token_id: 1", "address is missing: expected the "),
    "a negative token": ("altura", f"- {{address: {ADDRESS}, token_id: -1}}", "token_id: .*'-1'"),
    "a token above uint256": (
        "altura",
        f"- {{address: {ADDRESS}, token_id: {2**256}}}",
        "token_id: expected the item's number, 0 to ",
    ),
    "a bad option": (
        "altura",
        f"- {{address: {ADDRESS}, token_id: 1, include_listed: maybe}}",
        "include_listed: .*'maybe'",
    ),
    "no mapping": ("altura", f"- {ADDRESS}", "expected a target with keys of .*, found '0x"),
    "a bad checksum": (
        "hiro",
        f"- principal: {PRINCIPAL[:-1]}Q",
        "principal: .*mistyped: its checksum does not match",
    ),
    "a principal in lower case": (
        "hiro",
        f"- principal: {PRINCIPAL.lower()}",
        "principal: .*must start with S",
    ),
    "a testnet principal": (
        "hiro",
        f"- principal: {TESTNET}",
        r"principal: .*not a mainnet address \(SP… or SM…\)",
    ),
    "a bad contract": ("hiro", f"- principal: {PRINCIPAL}.1bad", "'1bad' is not a contract name"),
    "another provider's option": (
        "hiro",
        f"- {{principal: {PRINCIPAL}, include_listed: false}}",
        "unknown key .include_listed., which is of altura; hiro has ",
    ),
    "an identifier without a class": (
        "hiro",
        f"- {{principal: {PRINCIPAL}, asset_identifiers: [{PRINCIPAL}.misc]}}",
        "is not ADDRESS.contract-name::class-name",
    ),
    "an identifier's bad checksum": (
        "hiro",
        f"- {{principal: {PRINCIPAL}, asset_identifiers: ['{PRINCIPAL[:-1]}Q.a::b']}}",
        "asset_identifiers: .*checksum",
    ),
    "identifiers as one text": (
        "hiro",
        f"- {{principal: {PRINCIPAL}, asset_identifiers: '{CANDY}'}}",
        "asset_identifiers: expected a list of ADDRESS",
    ),
    "a short asset id": ("catenis", "- asset_id: aQjlz", "asset_id: .*found 'aQjlz'"),
    "an asset id of another kind": ("catenis", f"- asset_id: d{ASSET[1:]}", "asset_id: "),
    "three dots": ("catenis", "- asset_id: aQjlzShmrnEZeeYB...", r"asset_id: .*YB\.\.\.'"),
    "an empty label": ("catenis", f"- {{asset_id: {ASSET}, label: ''}}", "label: "),
}


@pytest.mark.parametrize(
    ("provider", "entry", "told"), BAD_TARGETS.values(), ids=BAD_TARGETS.keys()
)
def test_a_bad_target_is_told_with_its_line(
    load: Load, path: Path, provider: str, entry: str, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"1 mistake.*\n  {path}:4: .*{told}"):
        load(f"# mine\n{provider}:\n  targets:\n{indent(entry, '  ')}\n")


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("\nfooled:\n  targets: []\n", 2, "'fooled' is no provider; there are altura, hiro"),
        ("altura:\n  crone: 1\n", 2, "unknown key 'crone'; there are cron and targets"),
        ("altura:\n  cron: '* * * *'\n", 2, r"cron: expected five fields .*, found '\* \*"),
        ("altura:\n  cron: [1, 2]\n", 2, "cron: expected five fields"),
        ("altura:\n  targets:\n    address: 1\n", 2, "expected a list of targets"),
        ("altura:\n  - address: 1\n", 1, "expected cron and targets"),
        ("altura: {}\nhiro: {}\naltura: {}\n", 3, "altura is given twice, see line 1"),
        ("altura:\n  cron:\n  targets:\n  cron:\n", 4, "cron is given twice, see line 2"),
        ("- altura\n", 1, "expected a mapping of providers"),
        ("", 1, r"expected a mapping of providers \(altura, hiro, catenis\)"),
        ("# nothing yet\n", 1, "expected a mapping of providers"),
    ],
)
def test_a_mistake_in_the_form_is_told_with_its_line(
    load: Load, path: Path, text: str, line: int, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"1 mistake.*\n  {path}:{line}: {told}"):
        load(text)


@pytest.mark.parametrize(
    ("provider", "first", "second"),
    [
        ("catenis", f"asset_id: {ASSET}", f"{{asset_id: {ASSET}, label: Another name}}"),
        ("altura", f"{{address: {ADDRESS}, token_id: 1}}", f"{{address: {ADDRESS}, token_id: 01}}"),
        (
            "hiro",
            f"{{principal: {PRINCIPAL}, asset_identifiers: ['{CANDY}', '{PRINCIPAL}.a::b']}}",
            f"{{principal: {PRINCIPAL}, asset_identifiers: ['{PRINCIPAL}.a::b', '{CANDY}']}}",
        ),
    ],
)
def test_a_target_given_twice_is_told_with_both_lines(
    load: Load, path: Path, provider: str, first: str, second: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"{path}:4: .* already watched, see line 3"):
        load(f"{provider}:\n  targets:\n  - {first}\n  - {second}\n")


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(load: Load, path: Path) -> None:
    text = dedent(f"""\
        altura:
          cron: "* * * *"
          targets:
            - address: {ADDRESS}
              token_id: 1
              token_id: 2
            - address: 0x12
              token_id: -1
        hiro:
          targets:
            - principal: {TESTNET}
            - principal: {PRINCIPAL}
              include_listed: false
            - label: Fine
              principal: {PRINCIPAL}
            - principal: {PRINCIPAL}
        catenis:
          unknown: 1
          targets: {ASSET}
        elsewhere: {{}}
        """)
    with pytest.raises(ConfigurationError) as caught:
        load(text)
    head, *mistakes = str(caught.value).splitlines()
    assert head == "10 mistakes in the targets:"
    told = [mistake.removeprefix(f"  {path}:").split(": ")[0] for mistake in mistakes]
    assert told == ["2", "6", "7", "8", "11", "13", "16", "18", "19", "20"]


def test_a_missing_file_is_told(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"no list of targets at {path}: make one from"):
        load_targets(path)


@pytest.mark.parametrize(
    "data",
    [
        *(b"altura: [", b"\tx: 1", b"a: 1\n---\nb: 2", b"\xff\xfe\xff", b"a: \0"),
        *(b"? [a]\n: b\n", b"altura: &a [*a]"),
    ],
)
def test_what_is_not_yaml_is_told(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=f"{path} is not YAML: "):
        load_targets(path)


BOMB = "altura:\n  a: &a0 [x, x]\n" + "".join(
    f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
CHAIN = "x:\n  a: &a0 [x]\n" + "".join(f"  b{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 2000))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "repeats the same lines too often by its aliases"),
        (CHAIN, "is nested more deeply than any list is"),
        ("altura: " + "[" * 30 + "]" * 30, "is nested more deeply than any list is"),
        ("altura: " + "[" * 20_000, "is nested more deeply than any list is"),
        ("altura: " + "{a: " * 20_000, "is nested more deeply than any list is"),
    ],
    ids=["a bomb", "a chain", "some brackets", "many brackets", "many braces"],
)
def test_a_list_that_nobody_could_read_is_refused(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=f"{path} {words}"):
        load_targets(path)


def test_aliases_that_people_write_are_followed(path: Path) -> None:
    path.write_text(
        f"catenis:\n  cron: &daily '0 3 * * *'\n  targets: [{{asset_id: {ASSET}}}]\n"
        "altura:\n  cron: *daily\n"
    )
    assert load_targets(path).watches["altura"].cron == "0 3 * * *"


# --- finding one ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [f"catenis:{ASSET}", "Points"])
def test_a_target_is_found_by_name_and_by_label(good: WatchList, name: str) -> None:
    assert good.find(name).name == f"catenis:{ASSET}"


@pytest.mark.parametrize(
    ("name", "close"), [("Pionts", "Points"), (f"catenis:{ASSET[:-1]}", f"catenis:{ASSET}")]
)
def test_a_name_that_is_not_there_brings_what_comes_close(
    good: WatchList, name: str, close: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"no target '{name}'; did you mean .*{close}"):
        good.find(name)


def test_a_name_that_nothing_comes_close_to_brings_no_suggestion(good: WatchList) -> None:
    with pytest.raises(ConfigurationError, match=r"has no target '#'; see holdfast targets list$"):
        good.find("#")


# --- the shipped files ----------------------------------------------------------------------------


def test_the_shipped_targets_are_the_vendors_examples() -> None:
    names = [target.name for target in load_targets(ROOT / "targets.example.yaml").targets()]
    assert names == [f"hiro:{PRINCIPAL}?asset_identifiers={CANDY}", f"catenis:{ASSET}"]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def demo() -> list[str]:
    return [target.name for target in load_targets(ROOT / "targets.demo.yaml").targets()]


def test_the_demo_watches_all_of_the_sandboxs_world(world: World, demo: list[str]) -> None:
    assert {name.partition("?")[0] for name in demo} == set(world.targets())


def test_the_demo_watches_nothing_that_the_world_does_not_have(
    world: World, demo: list[str]
) -> None:
    assert [name for name in demo if world.state(name) is None] == []


def test_a_label_that_is_taken_is_told_with_the_line_of_the_other(tmp_path: Path) -> None:
    path = tmp_path / "targets.yaml"
    path.write_text(
        "catenis:\n  targets:\n"
        "    - {label: Points, asset_id: aQjlzShmrnEZeeYBZihc}\n"
        "    - {label: Points, asset_id: aDWsoPzNJhqRpR4Ry9nB}\n"
    )
    with pytest.raises(ConfigurationError, match=r":4: the label 'Points' is taken, see line 3"):
        load_targets(path)


@pytest.mark.parametrize(
    "cron",
    ["61 * * * *", "0 25 * * *", "0 0 31 2 *", "@hourly", "often", "0 0 LW * *", "0 0 * * 5L"],
)
def test_a_cron_that_can_not_be_is_told_with_its_line(tmp_path: Path, cron: str) -> None:
    path = tmp_path / "targets.yaml"
    path.write_text(f"hiro:\n  cron: '{cron}'\n")
    with pytest.raises(ConfigurationError, match=rf"{path}:2: cron: .*, found '"):
        load_targets(path)


def test_an_unknown_key_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "targets.yaml"
    path.write_text("catenis:\n  targets:\n  - {aset_id: aQjlzShmrnEZeeYBZihc}\n")
    with pytest.raises(ConfigurationError, match="'aset_id', did you mean asset_id"):
        load_targets(path)


def test_a_list_has_the_name_that_it_gives_itself(tmp_path):
    path = tmp_path / "targets.yaml"
    assert parse_targets("hiro:\n", path).name == "targets"
    assert parse_targets("list: traders\nhiro:\n", path).name == "traders"


@pytest.mark.parametrize("name", ["[a, b]", '"a\\nb"', "x" * 101])
def test_a_list_whose_name_can_not_be_used_is_told_with_its_line(tmp_path, name):
    with pytest.raises(ConfigurationError, match=r"targets\.yaml:2: list: expected a name"):
        parse_targets(f"hiro:\nlist: {name}\n", tmp_path / "targets.yaml")
