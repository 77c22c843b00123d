"""How each fault of `pipelines.trials.faults_catalogue` has to end, by its name.

One outcome for all three providers, or one for each where their rules differ.
"""

from dataclasses import dataclass

from pipelines.errors import (
    BrokenAnswer,
    HeldBack,
    HoldfastError,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    ServerFailed,
    TornWalk,
    Unreachable,
)


@dataclass(frozen=True)
class Refused:
    """That class, and these words (a regular expression) in its message; {P} is the provider's
    name in capitals."""

    error: type[HoldfastError]
    words: str


HEALED = None
Expected = Refused | None

UNDOCUMENTED = "not what the documentation describes: "
TRIED = r"\(tried 4 times\)"
TOO_LARGE = Refused(MalformedAnswer, r"larger than \d+ bytes; {P}_MAX_BODY_BYTES")
RESET = Refused(Unreachable, f"failed: Connection reset by peer {TRIED}")
SLOW = Refused(Unreachable, f"took over 0.4 s to answer {TRIED}")
SILENT = Refused(Unreachable, f"(no data from .* for 0.3 s|took over 0.4 s to answer) {TRIED}")
UNPROVEN = "no state could be proven"
SHORT = Refused(TornWalk, f"{UNPROVEN}.*rows at 0 before the end, where [1-9][0-9]* fit a page")
TWICE = Refused(TornWalk, f"{UNPROVEN}.*rows were given twice")
TIED = Refused(TornWalk, f"{UNPROVEN}.*(given twice|not the one that the page above ended with)")
RESTLESS = Refused(TornWalk, f"{UNPROVEN}.*the last: .*faster than it can be read: raise {{P}}_")


def by_provider(altura: Expected, hiro: Expected, catenis: Expected) -> dict[str, Expected]:
    return {"altura": altura, "hiro": hiro, "catenis": catenis}


def field(altura: str, hiro: str, catenis: str, words: str = "{}") -> dict[str, Expected]:
    """Refused for what is said of that field, which each provider names otherwise."""
    named = (altura, hiro, catenis)
    return by_provider(*(Refused(MalformedAnswer, words.replace("{}", name)) for name in named))


AMOUNT = (r"\$\.holders\[0\]\.balance", r"\$\.results\[0\]\.block_height", r"\.balance\.total")
TOTAL = (r"\$\.count", r"\$\.total", r"\$\.data\.hasMore")

WIRE: dict[str, Expected | dict[str, Expected]] = {
    "connection refused": Refused(Unreachable, f"failed: Connection refused {TRIED}"),
    "reset before headers, once": HEALED,
    "reset before headers, for good": RESET,
    "reset after headers, once": HEALED,
    "reset after headers, for good": RESET,
    "reset in the body, once": HEALED,
    "reset in the body, for good": RESET,
    "gzip that is not, once": HEALED,
    "gzip that is not, for good": Refused(Unreachable, f"failed: .*decompressing data.* {TRIED}"),
    "hang, once": HEALED,
    "hang, for good": SILENT,
    "hang in the body, once": HEALED,
    "hang in the body, for good": SILENT,
    "headers that drip, once": HEALED,
    "headers that drip, for good": SLOW,
    "body that drips, once": HEALED,
    "body that drips, for good": SLOW,
    "a third of connections reset": HEALED,
    "gzip bomb": TOO_LARGE,
    "gzip of nothing for ever": TOO_LARGE,
    "body of 1 GiB": TOO_LARGE,
    "body of 1 GiB beside 500, once": HEALED,
    "bad gzip beside 404": Refused(RequestRefused, "answered 404: ''. Check .*{P}_BASE_URL$"),
}

STATUSES: dict[str, Expected | dict[str, Expected]] = {
    "429, once": HEALED,
    "429, for good": Refused(RateLimited, f"answered 429: .*not .*now.* {TRIED}"),
    "500, once": HEALED,
    "500, for good": Refused(ServerFailed, f"answered 500: .*not .*now.* {TRIED}"),
    "502, once": HEALED,
    "502, for good": Refused(ServerFailed, f"answered 502: .*not .*now.* {TRIED}"),
    "503, once": HEALED,
    "503, for good": Refused(ServerFailed, f"answered 503: .*not .*now.* {TRIED}"),
    "429, Retry-After in seconds": HEALED,
    "429, Retry-After a date": HEALED,
    "429, Retry-After a date without zone": HEALED,
    "429, Retry-After nonsense": HEALED,
    "429, Retry-After an hour": Refused(RateLimited, "429: .*it asks to come back in 3600 s$"),
    "401, once": Refused(RequestRefused, r"answered 401: .*\. (Set|Check) {P}_"),
    "401, for good": Refused(RequestRefused, r"answered 401: .*\. (Set|Check) {P}_"),
    "403": Refused(RequestRefused, r"answered 403: .*heck {P}_"),
    "404": Refused(RequestRefused, r"answered 404: .*\. Check .*{P}_BASE_URL"),
    "410": Refused(RequestRefused, "answered 410: .*now"),
    "redirect to another host": Refused(
        RequestRefused, "302, a redirect to other.invalid, which is not followed. Check {P}_BASE"
    ),
    "HTML with 200, once": HEALED,
    "a third of answers are HTML": HEALED,
    "HTML with 200, for good": Refused(
        BrokenAnswer, f"{UNDOCUMENTED}.* it begins '<!DOCTYPE html>.* {TRIED}"
    ),
    "error object with 200": by_provider(
        altura=Refused(MalformedAnswer, "missing required field `holders`.*now"),
        hiro=Refused(MalformedAnswer, "missing required field `limit`.*now"),
        catenis=Refused(MalformedAnswer, r"'error' - at `\$\.status`.*now"),
    ),
}

JSON: dict[str, Expected | dict[str, Expected]] = {
    "JSON cut off, once": HEALED,
    "JSON cut off, for good": Refused(
        BrokenAnswer, f"{UNDOCUMENTED}Input data was truncated.* {TRIED}"
    ),
    "amount of a wrong type": field(*AMOUNT),
    "total of null": field(*TOTAL, words="`null` - at `{}`"),
    "rows missing": field("holders", "results", "assetHolders", words="missing required field `{}"),
    "total missing": field("count", "total", "hasMore", words="missing required field `{}`"),
    "key missing": field("address", "hex", "deviceId", words="missing required field `{}`"),
    "amount missing": field("balance", "block_height", "total", words="required field `{}`"),
    "key twice in an object": field(
        "balance", "block_height", "total", words="the key '{}' stands twice in one object"
    ),
    "extra fields": HEALED,
    "amount NaN": HEALED,
    "amount Infinity": HEALED,
    "amount negative": field(*AMOUNT, words="{} is -1"),
    "amount 10^400": field(*AMOUNT, words="{} is 10{100,130}…"),
    "amount 1e400": field(*AMOUNT),
    "amount 1e9999999999999999999": Refused(MalformedAnswer, "out of range"),
}

PAGES: dict[str, Expected | dict[str, Expected]] = {
    "row twice on a page, once": HEALED,
    "row twice on a page, for good": by_provider(altura=TWICE, hiro=TIED, catenis=TWICE),
    "page capped below what was asked": HEALED,
    "page short by a few, once": HEALED,
    # Altura's pages may be capped in silence: what is short of a smaller page is asked for again.
    "page short by a few, for good": by_provider(altura=HEALED, hiro=SHORT, catenis=SHORT),
    "empty page in the middle, once": HEALED,
    "empty pages in the middle, for good": Refused(
        TornWalk, rf"{UNPROVEN}.*(0 rows at \d+|an empty page at \d+),? before the end"
    ),
    "empty set where there were rows": Refused(HeldBack, "empty, where there were 33 rows"),
    "page repeated for ever": by_provider(
        altura=Refused(TornWalk, f"{UNPROVEN}.*the rows at 10 were given before"),
        hiro=Refused(MalformedAnswer, "asked for limit 10 offset .*, the answer is for"),
        catenis=Refused(TornWalk, f"{UNPROVEN}.*the rows at 10 were given before"),
    ),
    "set without an end": Refused(MalformedAnswer, r"no end was told in 33\d rows; {P}_MAX_ROWS"),
    "holder past the end, once": by_provider(
        altura=HEALED,
        hiro=HEALED,
        catenis=Refused(MalformedAnswer, "11 holders on a page of 10"),
    ),
    "holder past the end, for good": by_provider(
        altura=Refused(TornWalk, rf"{UNPROVEN}.*up to position 10, but \$\.count is 9"),
        hiro=Refused(TornWalk, rf"{UNPROVEN}.*up to position 10, but \$\.total is 9"),
        catenis=Refused(MalformedAnswer, "11 holders on a page of 10"),
    ),
}

MOVING: dict[str, Expected | dict[str, Expected]] = {
    "row deleted during the walk": HEALED,
    "row deleted at every request": RESTLESS,
    "row inserted during the walk": HEALED,
    # Hiro's new rows enter at the top: they only make pages overlap.
    "row inserted at every request": by_provider(altura=RESTLESS, hiro=HEALED, catenis=RESTLESS),
    "one out, one in during the walk": HEALED,
    "one out, one in at every request": RESTLESS,
}

SIZES: dict[str, Expected | dict[str, Expected]] = {
    "many pages, one reset": HEALED,
    "many pages, key missing": JSON["key missing"],
    "many pages, one out, one in": HEALED,
    "many pages, some of them short": Refused(
        TornWalk, rf"{UNPROVEN}.*2 rows at \d+ before the end, where 5 fit a page"
    ),
    "over a block, one out, one in": HEALED,
}

TEXTS: dict[str, Expected | dict[str, Expected]] = {
    "names: ansi": HEALED,
    "names: html": HEALED,
    "names: quotes": HEALED,
    "names: NUL": HEALED,
    "names: lone surrogate": HEALED,
    "names: right to left": HEALED,
    "names: 100 kB": HEALED,
}

NOT_DOCUMENTED = "rows from the cursor .*missing required field"
PART_OF_A_PAGE = Refused(
    TornWalk, rf"{UNPROVEN}.*(0|2|7) rows before the end, where (5|10) fit a page"
)

BY_CURSORS: dict[str, Expected] = {
    "error object with 200": Refused(MalformedAnswer, f"{NOT_DOCUMENTED} `total`.*now"),
    "total of null": Refused(MalformedAnswer, r"`null` - at `\$\.total`"),
    "rows missing": Refused(MalformedAnswer, f"{NOT_DOCUMENTED} `results`"),
    "total missing": Refused(MalformedAnswer, f"{NOT_DOCUMENTED} `total`"),
    "key missing": Refused(
        MalformedAnswer, rf"{NOT_DOCUMENTED} `hex` - at `\$\.results\[0\]\.value`"
    ),
    "many pages, key missing": Refused(MalformedAnswer, f"{NOT_DOCUMENTED} `hex`"),
    "key twice in an object": Refused(
        MalformedAnswer, r"`int` - at `\$\.results\[0\]\.value\.repr`"
    ),
    "page capped below what was asked": PART_OF_A_PAGE,
    "page short by a few, for good": PART_OF_A_PAGE,
    "empty pages in the middle, for good": PART_OF_A_PAGE,
    "many pages, some of them short": PART_OF_A_PAGE,
    "page repeated for ever": Refused(MalformedAnswer, r"\$\.cursor\.next is .*does not lead on"),
    # Rows enter anywhere, where v1's enter at the top and only make pages overlap.
    "row inserted at every request": RESTLESS,
}
"""How Hiro's v3 ends where that differs from v1."""

CURSORS: dict[str, Expected | dict[str, Expected]] = {
    "no cursor before the end, once": HEALED,
    "no cursor before the end, for good": Refused(TornWalk, f"{UNPROVEN}.*gave different rows"),
    "cursor that leads back, once": HEALED,
    "cursor that leads back, for good": Refused(MalformedAnswer, "which does not lead on"),
    "cursor that is none, once": Refused(MalformedAnswer, "'nonsense', expected 0xVALUE:CLASS"),
    "cursor that is none, for good": Refused(MalformedAnswer, "'nonsense', expected 0xVALUE:CLASS"),
    "tag missing, once": HEALED,
    # Without a tag it takes two readings that agree.
    "tag missing, for good": HEALED,
    "another tag, once": HEALED,
    "another tag, for good": Refused(TornWalk, f"{UNPROVEN}.*changed while its last page was read"),
}

EXPECTED = {**CURSORS, **WIRE, **STATUSES, **JSON, **PAGES, **MOVING, **SIZES, **TEXTS}


def expected(case: str, provider: str) -> Expected:
    """That of the API by name, else that of its provider."""
    outcome = BY_CURSORS.get(case, EXPECTED[case]) if provider == "hiro-v3" else EXPECTED[case]
    return outcome[provider] if isinstance(outcome, dict) else outcome
