"""Run in a copy of the project: the conformance suite for the added providers, on answers of the
copy's sandbox. Prints how many tests each has passed; the first that fails ends it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import requests

from pipelines.providers import PROVIDERS
from pipelines.providers.conformance import Conformance, Recorded
from pipelines.providers.pages import Answer, Cursors
from pipelines.sandbox.clients import target_at
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import EMPTY, World

LIMIT = 3


class Holders(Conformance):
    provider = PROVIDERS["fourth"]
    rows_at = ("holders",)

    def meaning(self, document: Any) -> Any:
        rows = [(row["address"], Decimal(row["amount"])) for row in document["holders"]]
        return rows, document["total"]


class Deeds(Conformance):
    provider = PROVIDERS["made_up"]
    rows_at = ("deeds",)
    nullable = frozenset({"next"})

    def meaning(self, document: Any) -> Any:
        rows = [(row["id"], Decimal(row["shares"])) for row in document["deeds"]]
        return rows, document["total"]


def walk(key: str, url: str, http: requests.Session) -> Iterator[Recorded]:
    """All pages of a target, as the sandbox gives them."""
    target = target_at(key)
    addressing: Any = PROVIDERS[target.provider].addressing
    start: Any = "" if isinstance(addressing, Cursors) else 0
    while start is not None:
        request = addressing.page_request(target, start, LIMIT)
        given = http.get(f"{url}{request.target}", timeout=60)
        given.raise_for_status()
        headers = {name.lower(): value for name, value in given.headers.items()}
        yield Recorded(start, LIMIT, given.content, headers)
        start = addressing.read_page(target, start, LIMIT, Answer(200, headers, given.content)).next


world = World(size=EMPTY)
with Sandbox(world) as sandbox, requests.Session() as http:
    http.trust_env = False
    for suite in (Holders, Deeds):
        name = suite.provider.name
        key = world.add(name, 8)
        suite.target = target_at(key)
        suite.walk = tuple(walk(key, sandbox.url(name), http))
        world.set_rows(key, [])
        [nothing] = walk(key, sandbox.url(name), http)
        suite.empty = nothing.body
        tests = [test for test in dir(suite) if test.startswith("test_")]
        for test in tests:
            getattr(suite(), test)()
        print(f"{name}: {len(tests)} passed")
