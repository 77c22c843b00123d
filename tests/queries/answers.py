"""What each query of the cookbook answers about the known world, worked out from its states."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.queries.known_world import (
    ALICE,
    BIRDS,
    BOB,
    CAROL,
    COIN,
    COLLECTION,
    DAVE,
    ERIN,
    FEB_5,
    FEB_12,
    FIRST,
    FRANK,
    GRACE,
    HANK,
    JAN_1,
    JAN_8,
    JAN_15,
    MINUTE,
    MONKEYS,
    ONE,
    SECONDS,
    SHIELD,
    SWORD,
    TREASURY_ID,
    TWO,
    VAULT,
    VAULT_ID,
    WEEK,
    day,
)

LATER = day(12, 31)
DAY = timedelta(days=1)
BY_JAN_8, BY_JAN_15 = JAN_8 + MINUTE, JAN_15 + MINUTE
BY_FEB_5, BY_FEB_12 = FEB_5 + MINUTE, FEB_12 + MINUTE


@dataclass(frozen=True)
class Answer:
    """The rows that a query gives, in their order, of those columns."""

    query: str
    parameters: dict[str, Any]
    columns: str
    rows: list[tuple[Any, ...]]


def answer(query: str, columns: str, *rows: tuple[Any, ...], **parameters: Any) -> Answer:
    """Numbers with a fraction are meant exactly as they are written."""
    exact = [
        tuple(Decimal(str(value)) if isinstance(value, float) else value for value in row)
        for row in rows
    ]
    return Answer(query, parameters, columns, exact)


def of_sword(query: str, columns: str, *rows: tuple[Any, ...], **parameters: Any) -> Answer:
    return answer(query, columns, *rows, target="Sword", **parameters)


HOLDERS = [
    of_sword(
        "top_holders",
        "target place holder asset amount percent held_since",
        ("Sword", 1, ALICE, COLLECTION, 70, 66.67, JAN_1),
        ("Sword", 2, CAROL, COLLECTION, 15, 14.29, JAN_1),
        ("Sword", 3, DAVE, COLLECTION, 10, 9.52, JAN_8),
        how_many=3,
    ),
    answer(
        "top_holders",
        "target place holder asset amount percent",
        ("Vault", 1, VAULT_ID, MONKEYS, 6, 100),
        target=VAULT,
        how_many=10,
    ),
    of_sword(
        "top_holders_as_of",
        "place holder quantity percent held_since snapshot_at",
        (1, ALICE, 55, 45.83, JAN_1, JAN_8),
        (2, BOB, 30, 25, JAN_1, JAN_8),
        (3, CAROL, 15, 12.5, JAN_1, JAN_8),
        (4, HANK, 10, 8.33, JAN_8, JAN_8),
        (4, DAVE, 10, 8.33, JAN_8, JAN_8),
        moment=JAN_15 - DAY,
        how_many=10,
    ),
    of_sword(
        "top_holders_compared",
        "holder place_now place_then quantity_now quantity_then",
        (ALICE, 1, 1, 70, 50),
        (CAROL, 2, 3, 15, 20),
        (DAVE, 3, None, 10, None),
        (BOB, None, 2, None, 30),
        moment=JAN_1,
        how_many=3,
    ),
    answer(
        "longest_holders",
        "holder quantity held_since at_least held_for",
        (ALICE, 70, JAN_1, True, 42 * DAY),
        (CAROL, 15, JAN_1, True, 42 * DAY),
        (DAVE, 10, JAN_8, False, 35 * DAY),
        (FRANK, 5, FEB_5, False, 7 * DAY),
        target=SWORD,
        limit=4,
    ),
    answer(
        "common_holders",
        "holder of_one of_other percent_of_one percent_of_other",
        (ALICE, 70, 10, 66.67, 10),
        (DAVE, 10, 5, 9.52, 5),
        one="Sword",
        other=SHIELD,
    ),
    answer(
        "overlap",
        "one other common percent_of_one percent_of_other percent_of_either",
        ("Sword", "Shield", 2, 40, 50, 28.57),
    ),
    answer(
        "many_targets",
        "provider holder things targets",
        ("altura", ALICE, 2, ["Shield", "Sword"]),
        ("altura", DAVE, 2, ["Shield", "Sword"]),
        at_least=2,
    ),
    answer(
        "token_owners",
        "target holder held_since held_until",
        ("Vault", VAULT_ID, JAN_1, JAN_15),
        ("Treasury", TREASURY_ID, JAN_15, None),
        asset=MONKEYS,
        token="u2",
    ),
    answer(
        "wallet_as_of",
        "target asset token quantity held_since unchanged_since",
        ("Shield", COLLECTION, "2", 10, JAN_1, JAN_1),
        ("Sword", COLLECTION, "1", 55, JAN_1, JAN_8),
        holder=ALICE.upper().replace("X", "x"),
        moment=JAN_8,
    ),
    answer("wallet_as_of", "quantity", holder=HANK, moment=JAN_15),
    answer(
        "wallet_as_of",
        "asset token quantity held_since",
        (BIRDS, "u9", 1, JAN_1),
        (MONKEYS, "u2", 1, JAN_15),
        holder=TREASURY_ID,
        moment=FEB_5,
    ),
    answer(
        "wallet_history",
        "target kind quantity_before quantity_after delta changed_after changed_until",
        ("Sword", "entered", None, 5, 5, JAN_8, BY_JAN_15),
        ("Sword", "exited", 5, None, -5, JAN_15, BY_FEB_5),
        ("Sword", "entered", None, 5, 5, FEB_5, BY_FEB_12),
        holder=ERIN,
    ),
    answer(
        "wallet_history",
        "target kind quantity_before quantity_after delta changed_after changed_until",
        ("Coin", "first seen", None, 7.5, 7.5, None, JAN_1 + MINUTE),
        ("Coin", "decreased", 7.5, 2.5, -5, JAN_1, BY_JAN_15),
        holder=ONE,
    ),
]

CHANGES = [
    of_sword(
        "changes",
        "seen_at target change what before after",
        (BY_FEB_12, "Sword", "exited", BOB, 30, None),
        (BY_FEB_5, "Sword", "exited", ERIN, 5, None),
        change="exited",
        limit=2,
    ),
    answer(
        "changes",
        "seen_at target change what before after",
        (BY_FEB_12, "Vault", "entered", "monkey u4", None, 1),
        target=VAULT,
        change=None,
        limit=1,
    ),
    answer(
        "movements",
        "seen_at target change what amount",
        (BY_FEB_12, "Shield", "entered", GRACE, 65),
        (BY_FEB_12, "Shield", "exited", CAROL, 80),
        (BY_FEB_12, "Sword", "entered", ERIN, 5),
        (BY_FEB_12, "Sword", "exited", BOB, 30),
        (BY_JAN_15, "Treasury", "entered", "monkey u2", 1),
        (BY_FEB_12, "Treasury", "exited", "bird u9", 1),
        (BY_FEB_12, "Vault", "entered", "monkey u4", 1),
        (BY_JAN_15, "Vault", "exited", "monkey u2", 1),
        each=1,
    ),
    of_sword(
        "who_left",
        "target holder asset token left_with left_after left_until holds_now",
        ("Sword", ERIN, COLLECTION, "1", 5, JAN_15, BY_FEB_5, 5),
        ("Sword", BOB, COLLECTION, "1", 30, FEB_5, BY_FEB_12, None),
        since=day(1, 20),
    ),
    answer(
        "gone_since",
        "target holder token held_then snapshot_then",
        ("Shield", CAROL, "2", 80, JAN_1),
        ("Sword", BOB, "1", 30, JAN_8),
        ("Sword", HANK, "1", 10, JAN_8),
        ("Treasury", TREASURY_ID, "u9", 1, JAN_1),
        ("Vault", VAULT_ID, "u2", 1, JAN_1),
        moment=JAN_8,
        target=None,
    ),
    of_sword(
        "new_and_stayed",
        "holder held_since held_until held_for stayed",
        (DAVE, JAN_8, None, 35 * DAY, True),
        (HANK, JAN_8, JAN_15, 7 * DAY, False),
        (ERIN, JAN_15, FEB_5, 21 * DAY, False),
        (FRANK, FEB_5, None, 7 * DAY, None),
        (ERIN, FEB_12, None, timedelta(0), None),
        since=JAN_1,
        days=30,
    ),
    of_sword(
        "net_change",
        "kind holder quantity_before quantity_after delta",
        ("exited", BOB, 30, None, -30),
        ("increased", ALICE, 50, 70, 20),
        ("entered", DAVE, None, 10, 10),
        ("decreased", CAROL, 20, 15, -5),
        ("entered", ERIN, None, 5, 5),
        ("entered", FRANK, None, 5, 5),
        earlier=JAN_1,
        later=FEB_12,
    ),
    of_sword(
        "biggest_changes",
        "kind holder delta percent_of_all changed_after changed_until",
        ("exited", BOB, -30, 24, FEB_5, BY_FEB_12),
        ("exited", HANK, -10, 8.33, JAN_8, BY_JAN_15),
        ("entered", HANK, 10, 8.33, JAN_1, BY_JAN_8),
        ("entered", DAVE, 10, 8.33, JAN_1, BY_JAN_8),
        since=JAN_1,
        until=LATER,
        limit=4,
    ),
    answer(
        "accumulators",
        "target holder times gained quantity",
        ("Crowd", FIRST, 2, 120, 130),
        ("Shield", GRACE, 1, 65, 65),
        ("Shield", BOB, 1, 10, 20),
        ("Shield", DAVE, 1, 5, 5),
        ("Sword", ALICE, 4, 20, 70),
        target=None,
        since=JAN_1,
    ),
    of_sword(
        "short_stays",
        "holder held_since held_until held_for",
        (HANK, JAN_8, JAN_15, WEEK),
        days=7,
        since=JAN_1,
    ),
    answer(
        "renamed",
        "target holder name_before name_after changed_after changed_until",
        ("Sword", ALICE, "Alice", "Alice A.", JAN_8, BY_JAN_15),
        ("Sword", CAROL, "Carol", "Caro", JAN_15, BY_FEB_5),
        ("Coin", TWO, "Two", "Zwei", JAN_15, BY_FEB_12),
        since=JAN_1,
    ),
    answer(
        "moved_tokens",
        "asset token from_target to_target happened_after happened_until direct",
        (MONKEYS, "u2", "Vault", "Treasury", JAN_1, BY_JAN_15, True),
        since=JAN_1,
    ),
    answer(
        "likely_transfers",
        "target from_holder to_holder quantity happened_after happened_until",
        ("Coin", ONE, TWO, 5, JAN_1, BY_JAN_15),
        ("Sword", CAROL, ALICE, 5, JAN_1, BY_JAN_8),
        since=JAN_1,
        target=None,
    ),
    answer(
        "minted_burned",
        "target changed_after snapshot_at supply_before supply difference",
        ("Coin", JAN_1, JAN_15, 10, 20, 10),
        ("Crowd", JAN_1, JAN_8, 120, 150, 30),
        ("Crowd", JAN_8, FEB_5, 150, 240, 90),
        ("Sword", JAN_1, JAN_8, 100, 120, 20),
        ("Sword", JAN_15, FEB_5, 120, 125, 5),
        ("Sword", FEB_5, FEB_12, 125, 105, -20),
        since=JAN_1,
        target=None,
    ),
]

SERIES = [
    answer(
        "top_10_growth",
        "snapshot_at percent_of_top_10 points_grown points_a_week",
        (JAN_8, 86.67, 3.33, 3.33),
        (FEB_5, 91.67, 5, 1.25),
        target="Crowd",
        since=JAN_8,
    ),
    of_sword(
        "concentration",
        "month holders percent_of_top_1 percent_of_top_10 gini herfindahl nakamoto snapshot_at",
        (date(2024, 1, 1), 5, 50, 100, 0.4333, 0.3368, 2, JAN_15),
        (date(2024, 2, 1), 5, 66.67, 100, 0.5333, 0.4785, 1, FEB_12),
    ),
    answer(
        "collection_growth",
        "target tokens_before tokens_after grown percent snapshot_before snapshot_after",
        ("Vault", 2, 6, 4, 200, JAN_15, FEB_12),
        ("Treasury", 2, 1, -1, -50, JAN_15, FEB_12),
        until=FEB_12,
        days=7,
    ),
    of_sword(
        "holders_by_day",
        "day holders positions quantity entered exited snapshots",
        (date(2024, 1, 7), 3, 3, 100, None, None, 0),
        (date(2024, 1, 8), 5, 5, 120, 2, 0, 1),
        (date(2024, 1, 9), 5, 5, 120, None, None, 0),
        since=date(2024, 1, 7),
        until=date(2024, 1, 9),
    ),
    of_sword(
        "holding_age",
        "days_from days_to positions percent_of_positions quantity at_least",
        (0, 1, 1, 20, 5, 0),
        (7, 30, 1, 20, 5, 0),
        (30, 90, 3, 60, 95, 2),
    ),
    of_sword(
        "retention",
        "month entered day_1 day_7 day_30 day_90",
        (date(2024, 1, 1), 3, 100, 100, 50, None),
        (date(2024, 2, 1), 2, 100, 100, None, None),
    ),
    of_sword(
        "churn",
        "week snapshots held_before entered exited held_after churn_percent",
        (date(2024, 1, 15), 1, 5, 1, 1, 5, 20),
        (date(2024, 1, 22), 0, 5, 0, 0, 5, 0),
        (date(2024, 1, 29), 0, 5, 0, 0, 5, 0),
        (date(2024, 2, 5), 1, 5, 1, 1, 5, 20),
        (date(2024, 2, 12), 1, 5, 1, 1, 5, 20),
        since=date(2024, 1, 15),
    ),
    of_sword(
        "new_or_returning",
        "month new returning",
        (date(2024, 1, 1), 3, 0),
        (date(2024, 2, 1), 1, 1),
    ),
]

OPERATIONS = [
    answer(
        "gaps",
        "target gap_from gap_until gap usual times_usual begun_late_by",
        ("Sword", JAN_15, FEB_5, 21 * DAY, WEEK, 3, 14 * DAY),
        times=2,
        target=None,
    ),
    of_sword(
        "certainty",
        "changes narrowest half_within almost_all_within widest",
        (14, WEEK + MINUTE, WEEK + MINUTE, 21 * DAY + MINUTE, 21 * DAY + MINUTE),
        since=JAN_1,
    ),
    answer(
        "late",
        "target state last_snapshot_at due_at unproven_ticks last_failure_at reason",
        ("Ghost", "failing", None, None, 1, FEB_12, "RequestRefused"),
        ("Sword", "late", FEB_12, FEB_12 + WEEK, 0, None, None),
    ),
    answer(
        "shrunk",
        "target rows_then rows_now rows_percent quantity_percent snapshot_then snapshot_now",
        ("Empty", 0, 0, None, None, JAN_1, JAN_1),
        ("Treasury", 2, 1, -50, -50, JAN_15, FEB_12),
        ("Sword", 5, 5, 0, -16, FEB_5, FEB_12),
        since=FEB_5,
    ),
    answer(
        "snapshot_costs",
        "target snapshots rows requests requests_each pages_each walks_each seconds_each"
        " seconds_at_most requests_repeated",
        ("Coin", 2, 2, 8, 4, 4, 2, SECONDS, SECONDS, 0),
        ("Sword", 2, 5, 2, 1, 1, 1, SECONDS, SECONDS, 0),
        ("Treasury", 2, 2, 2, 1, 1, 1, SECONDS, SECONDS, 0),
        ("Vault", 2, 4, 2, 1, 1, 1, SECONDS, SECONDS, 0),
        since=JAN_15,
    ),
    answer(
        "proofs",
        "provider proof snapshots percent requests_each seconds_each walked_again",
        ("altura", "single_page", 12, 100, 1, SECONDS, 0),
        ("catenis", "double_collect", 3, 100, 4, SECONDS, 0),
        ("hiro", "single_page", 6, 100, 1, SECONDS, 0),
        since=JAN_1,
    ),
    answer(
        "failures",
        "provider reason transient attempts targets last_at last_target",
        ("catenis", "RequestRefused", False, 1, 1, FEB_12, "Ghost"),
        since=JAN_1,
    ),
    answer(
        "status",
        "target label snapshot_at rows proof entered exited increased decreased reacquired"
        " profile failures reason",
        (SWORD, "Sword", FEB_12, 5, "single_page", 1, 1, 1, 0, 0, 0, 0, None),
        (COIN, "Coin", FEB_12, 2, "double_collect", 0, 0, 0, 0, 0, 1, 0, None),
        watched=[SWORD, COIN],
    ),
    answer(
        "status",
        "label rows failures reason",
        ("Sword", 5, 0, None),
        ("Shield", 4, 0, None),
        ("Crowd", 12, 0, None),
        ("Empty", 0, 0, None),
        ("Coin", 2, 0, None),
        ("Ghost", None, 1, "RequestRefused"),
        ("Vault", 6, 0, None),
        ("Treasury", 1, 0, None),
        watched=None,
    ),
    answer(
        "storage",
        "provider targets snapshots rows_in_snapshots versions_kept",
        # Sword 23 rows, Shield 7, Crowd 36, Old 1; versions: 5+1+2+1+1+2+1, 3+3, 12+2, 1
        ("altura", 5, 12, 67, 35),
        ("catenis", 1, 3, 6, 5),
        ("hiro", 2, 6, 15, 9),
    ),
]

ANSWERS = HOLDERS + CHANGES + SERIES + OPERATIONS
