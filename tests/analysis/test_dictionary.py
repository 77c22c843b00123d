"""The data dictionary and the analysts' page keep up with the database."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pipelines.analysis.dictionary import (
    COMMAND,
    PAGE,
    Relation,
    dictionary_page,
    read_catalog,
    result_meanings,
)
from pipelines.paths import ROOT
from pipelines.sandbox.world import World
from pipelines.warehouse.postgres import Warehouse
from tests.conftest import Pipeline

ANALYSTS = ROOT / "docs" / "analysts.md"
PICTURES = ROOT / "docs" / "pictures"


@pytest.fixture(scope="module")
def relations(migrated_template: str) -> list[Relation]:
    with Warehouse(migrated_template) as warehouse, warehouse.transaction() as connection:
        return read_catalog(connection)


@pytest.fixture(scope="module")
def marts(relations: list[Relation]) -> list[Relation]:
    return [relation for relation in relations if relation.schema == "mart"]


@pytest.fixture(scope="module")
def page(relations: list[Relation]) -> str:
    return dictionary_page(relations)


def test_the_page_in_docs_is_what_the_database_says(page: str) -> None:
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == page, f"{PAGE} is stale: run {COMMAND}"


def test_every_mart_says_what_a_row_is(marts: list[Relation]) -> None:
    assert [mart.title for mart in marts if mart.grain is None] == []
    assert [mart.title for mart in marts if not mart.meaning] == []


def test_every_column_that_is_not_a_functions_has_a_comment(relations: list[Relation]) -> None:
    without = [
        f"{relation.title}.{column.name}"
        for relation in relations
        for column in relation.columns
        if relation.kind != "function" and not column.comment
    ]
    assert without == []


def test_every_column_of_a_function_is_explained_by_a_view_or_named_in_its_comment(
    relations: list[Relation],
) -> None:
    views = [relation for relation in relations if relation.kind == "view"]
    unexplained = [
        f"{function.title}: {name}"
        for function in relations
        if function.kind == "function"
        for name, meaning in result_meanings(function, views)[1].items()
        if not meaning and name not in function.comment
    ]
    assert unexplained == []


def test_the_keys_that_comments_name_are_columns(relations: list[Relation]) -> None:
    named = {relation.title: set(relation.key) - relation.column_names() for relation in relations}
    assert {title: unknown for title, unknown in named.items() if unknown} == {}


def test_a_key_is_read_from_a_comment_and_from_a_constraint(relations: list[Relation]) -> None:
    keys = {relation.title: relation.key for relation in relations}
    assert keys["mart.targets"] == ("target_id",)
    assert keys["mart.cohorts"] == ("target_id", "month", "at_least", "days")
    assert keys["hiro_nft_holdings_history"] == ("target_id", "key_hash", "valid_from")


def test_a_function_is_shown_with_its_arguments_and_their_defaults(page: str) -> None:
    assert (
        "`mart.holders_as_of(moment timestamptz, only_target text default null)`"
        in page.splitlines()
    )


def test_the_diagram_tells_foreign_keys_from_names_alone(page: str) -> None:
    [diagram] = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    lines = {line.strip() for line in diagram.splitlines()}
    assert {
        'snapshot |o--o{ snapshot : "previous_id"',
        'snapshot ||--o| snapshot_concentration : "snapshot_id"',
        'target ||--o{ walk_failure : "target_id"',
        'target ||..o{ hiro_nft_holdings_current : "target_id"',
        'target ||..o{ hiro_nft_holdings_history : "target_id"',
    } <= lines
    assert "applied_marts" not in diagram


def test_every_link_within_the_dictionary_and_to_it_leads_to_a_heading(page: str) -> None:
    headings = {
        re.sub(r"[^\w-]", "", heading.lower())
        for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }
    links = re.findall(r"\]\(#([^)]+)\)", page)
    links += re.findall(r"\]\(data-dictionary\.md#([^)]+)\)", ANALYSTS.read_text(encoding="utf-8"))
    assert set(links) <= headings


def test_the_analysts_page_leads_to_every_mart_and_names_no_other(marts: list[Relation]) -> None:
    text = ANALYSTS.read_text(encoding="utf-8")
    assert set(re.findall(r"\bmart\.(\w+)", text)) == {mart.name for mart in marts}


def test_every_query_on_the_analysts_page_runs(pipeline: Pipeline, world: World) -> None:
    targets = [
        pipeline.target(world.add_altura_item(20), label="Season pass"),
        pipeline.target(world.add_hiro_principal(20), label="A collector"),
        pipeline.target(world.add_catenis_asset(20), label="Loyalty points"),
    ]
    for _ in range(2):
        for target in targets:
            pipeline.take(target)
        world.tick(10)
    text = ANALYSTS.read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    statements = [statement.strip() for block in blocks for statement in block.split(";")]
    empty = [one for one in statements if one and not pipeline.sql(one)]
    # Nothing is known of last year, nor of yesterday.
    assert all("timestamptz '" in one or "interval" in one for one in empty), empty
    assert len(empty) < len(statements) / 2


@pytest.mark.parametrize("picture", sorted(PICTURES.glob("*.svg")), ids=lambda one: one.name)
def test_a_picture_says_in_words_what_it_shows_and_loads_nothing(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    words = {part.tag.rpartition("}")[2]: part.text for part in ET.fromstring(text)}
    assert words["title"]
    assert words["desc"]
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r"(?:href|src|url)\s*[=(]", text) == []
