"""What each query of the cookbook answers about the known world, worked out from its states."""

from datetime import date, timedelta
from decimal import Decimal

from tests.queries.answer import answer, of_sword
from tests.queries.answers_about_holders import CHANGES, HOLDERS
from tests.queries.known_world import (
    COIN,
    FEB_5,
    FEB_12,
    JAN_1,
    JAN_8,
    JAN_15,
    MINUTE,
    SECONDS,
    SWORD,
    WEEK,
)

DAY = timedelta(days=1)

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
        "notices",
        "provider header text",
        (
            "hiro",
            "warning",
            '299 - "Deprecated: See https://docs.hiro.so/stacks/api for more information"',
        ),
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
        ("Sword", 3, 5, 3, 1, 1, 1, SECONDS, SECONDS, 0),
        # Both lost more than a tenth of their rows once, and were read twice.
        ("Treasury", 2, 2, 3, 1.5, 1.5, 1.5, SECONDS, SECONDS, 0),
        ("Vault", 2, 4, 3, 1.5, 1.5, 1.5, SECONDS, SECONDS, 0),
        ("Crowd", 1, 12, 1, 1, 1, 1, SECONDS, SECONDS, 0),
        ("Shield", 1, 4, 1, 1, 1, 1, SECONDS, SECONDS, 0),
        since=JAN_15,
    ),
    answer(
        "proofs",
        "provider proof snapshots percent requests_each seconds_each walked_again",
        ("altura", "single_page", 7, Decimal("58.33"), 1, SECONDS, 0),
        ("altura", "double_collect", 5, Decimal("41.67"), 2, SECONDS, 0),
        ("catenis", "double_collect", 3, 100, 4, SECONDS, 0),
        ("hiro", "double_collect", 4, Decimal("66.67"), 2, SECONDS, 0),
        ("hiro", "single_page", 2, Decimal("33.33"), 1, SECONDS, 0),
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
        "target label state snapshot_at rows proof entered exited increased decreased reacquired"
        " profile failures reason",
        (SWORD, "Sword", "late", FEB_12, 5, "single_page", 1, 1, 1, 0, 0, 0, 0, None),
        (COIN, "Coin", "on time", FEB_12, 2, "double_collect", 0, 0, 0, 0, 0, 1, 0, None),
        watched=[SWORD, COIN],
    ),
    answer(
        "status",
        "label state rows failures reason",
        ("Sword", "late", 5, 0, None),
        ("Shield", "on time", 4, 0, None),
        ("Crowd", "on time", 12, 0, None),
        ("Empty", "on time", 0, 0, None),
        ("Coin", "on time", 2, 0, None),
        ("Ghost", "failing", None, 1, "RequestRefused"),
        ("Vault", "on time", 6, 0, None),
        ("Treasury", "on time", 1, 0, None),
        watched=None,
    ),
    answer(
        "storage",
        "provider targets snapshots rows_in_snapshots versions_kept",
        # rows: Sword 23, Shield 7, Crowd 36, Old 1; versions: 14, 6, 14 and 1
        ("altura", 5, 12, 67, 35),
        ("catenis", 1, 3, 6, 5),
        ("hiro", 2, 6, 15, 9),
    ),
]

ANSWERS = HOLDERS + CHANGES + SERIES + OPERATIONS
