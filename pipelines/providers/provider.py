"""The contract between a provider's file and the rest of Holdfast.

A provider is data and pure functions: how to ask for a page and how to read the answer (pages.py),
which columns are the key, which proofs hold. It opens no socket and no database, so its rules can
be tested on bytes alone.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.errors import (
    MalformedAnswer,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerFailed,
)
from pipelines.providers.chain import Chain
from pipelines.providers.pages import Cursors, Extra, Ground, Positions, Value
from pipelines.providers.proofs import Proof
from pipelines.providers.way import AUTO, Way
from pipelines.redaction import redacted


@dataclass(frozen=True)
class Column:
    """A column of a dataset; `description` is what analysts and Dagster's schema show.

    The tables refuse what can't be: nothing at all unless `optional`; a number below 0 or without
    end unless `signed`; digits after the point where it is `whole`.
    """

    name: str
    type: Literal["text", "numeric", "bigint"]
    description: str
    optional: bool = False
    whole: bool = False
    signed: bool = False


@dataclass(frozen=True)
class Subject:
    """What the subject of a target says of all its rows: all of it, or the part of that number
    between its slashes, counted from 1."""

    part: int | None = None


@dataclass(frozen=True)
class Words:
    """What people call the parts of a dataset, in the singular, in comments and in the report.

    `target` says what a target is, after "The target: "; `subject` what its subject is, with an
    article; `row` is what a row stands for, such as a holder or a token.
    """

    target: str
    subject: str
    row: str
    holder: str
    asset: str
    token: str | None = None


@dataclass(frozen=True)
class Dataset:
    """The rows that a provider's targets consist of. Its tables and views are made from it.

    `title` is what people call its provider, beside a target's name.

    Who holds what: `holder` is a column (None: the target itself, by its subject), `asset` and
    `token` are columns or what the subject says (no token: None), and how much is `amount`, by
    which a change counts as increased or decreased (None: each row is a token and counts 1).
    `lower_case`: holders are kept in lower case, however somebody writes them.

    `acquisition` is the column whose change means that the holding was left and taken up again,
    such as a transaction; `height` counts the blocks in which that happens. The columns in
    `kept_when_absent` keep their last known value where an answer does not mention them. `ordered`:
    new rows enter at the top only, and those that stay keep their order. The columns in
    `told_by_some` are known to one of the provider's APIs and not to another: they keep what was
    told last, and what is told for the first time is no change.
    """

    name: str
    title: str
    description: str
    words: Words
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    asset: str | Subject
    holder: str | None = None
    token: str | Subject | None = None
    amount: str | None = None
    acquisition: str | None = None
    height: str | None = None
    kept_when_absent: frozenset[str] = frozenset()
    ordered: bool = False
    told_by_some: frozenset[str] = frozenset()
    lower_case: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def value_names(self) -> tuple[str, ...]:
        return tuple(name for name in self.column_names if name not in self.key)

    @property
    def one_per_holder(self) -> bool:
        """Whether a holder has one row in a target at most."""
        return self.key == (self.holder,)


DEFAULT_LIST = "targets"
"""Name of a list of targets that gives itself none."""

LONGEST_OPTIONS = 500
"""Characters of options that a target's name shows."""


class Target(BaseModel, ABC):
    """One thing that is watched, with the options that change what comes back.

    Two targets are the same when their `name` is the same; `label` and `allow_empty` don't count.
    A field's description says what is expected of it, for the message about one that is not so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)
    provider: ClassVar[str]

    label: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="1 to 200 characters"
    )
    allow_empty: bool = Field(default=False, description="true or false")

    @property
    @abstractmethod
    def subject(self) -> str:
        """What is watched, without options."""

    @property
    def options(self) -> dict[str, str]:
        """The options that differ from the provider's defaults and change what comes back."""
        return {}

    @property
    def api_wanted(self) -> str | None:
        """The one of the provider's APIs that it is to be read by, where that was said of it."""
        return None

    @property
    def name(self) -> str:
        """`provider:subject?options`: the target's identity everywhere. Options too long for an
        index are represented by their hash."""
        options = "&".join(f"{key}={value}" for key, value in self.options.items())
        if len(options) > LONGEST_OPTIONS:
            options = f"sha256={hashlib.sha256(options.encode()).hexdigest()}"
        return f"{self.provider}:{self.subject}" + (f"?{options}" if options else "")


BaseUrl = Annotated[str, WithJsonSchema({"type": "string", "format": "uri"})]
BASE_URL = "Where the API is: another host, or a test server. Without user, password and query."
PAGE_SIZE = "Rows asked for on one page."


class ProviderSettings(BaseSettings):
    """What can be set for a provider; the environment names carry the provider's prefix."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    base_url: BaseUrl = Field(description=BASE_URL)
    requests_per_minute: Annotated[int, Field(ge=1)] = Field(
        default=60,
        description="Requests sent in any 60 seconds at most, repeated ones included, by all"
        " processes that use this warehouse and the same key. Where they are set otherwise, the"
        " lowest holds.",
    )
    concurrency: Annotated[int, Field(ge=1, le=64)] = Field(
        default=4,
        description="Requests under way at once, and targets taken at once, each with a connection"
        " to Postgres.",
    )
    connect_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        default=5.0, description="Seconds to wait for a connection."
    )
    read_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        default=30.0, description="Seconds without any data after which a request is given up."
    )
    total_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        default=120.0, description="Seconds after which an answer that still arrives is given up."
    )
    page_size: Annotated[int, Field(ge=1)] = Field(description=PAGE_SIZE)
    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=32 * 1024 * 1024,
        description="Bytes of one answer, decompressed; a larger one is refused.",
    )
    max_rows: Annotated[int, Field(ge=1)] = Field(
        default=10_000_000,
        description="Rows of one target in which its end has to come; a set without one is refused"
        " there, long before it fills the disk.",
    )
    max_tries: Annotated[int, Field(ge=1)] = Field(
        default=6,
        description="Tries of one request where another may help: after a lost connection, a"
        " timeout, 408, 429 or 5xx.",
    )
    max_walks: Annotated[int, Field(ge=2)] = Field(
        default=6,
        description="Walks over one target in which a state has to be proven; else it fails, and"
        " what was published before stays.",
    )
    max_drop_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5,
        description="Share of its rows that a target may lose at once; a snapshot that lost more"
        " is held back until the walk of a later run agrees.",
    )

    @property
    def secrets(self) -> list[str]:
        """The credentials, as they are sent."""
        values = [value for _, value in self if isinstance(value, SecretStr)]
        return [value.get_secret_value() for value in values if value]

    @field_validator("base_url")
    @classmethod
    def _without_credentials(cls, value: str) -> str:
        try:
            url = AnyHttpUrl(value)
        except ValidationError:
            raise ValueError("expected an http:// or https:// URL") from None
        if url.username or url.password or url.query or url.fragment:
            raise ValueError("a base URL has no user, password, query or fragment")
        return value.rstrip("/")


@dataclass(frozen=True)
class Outgoing:
    """A request about to be sent, as a signature needs to see it."""

    method: str
    target: str
    host: str
    body: bytes = b""


@dataclass(frozen=True)
class Provider:
    """A provider's rules. `proofs` holds those that its addressing and its order of rows allow.

    `auth_headers(settings, outgoing, now)` is asked again for every try. `explain(status, headers,
    body)` turns a status that is no answer into the error that says what to do. `extra_columns` are
    the columns of `snapshot` that keep what its pages tell beside their rows. As many snapshots in
    a row as `partial_in_a_row(settings)` tells may rest on the one before (chained_to_last).
    `chain`: how to ask for the blocks that its rows come from, where that chain can fork.
    `successor`: another API to the same rows, taken once the first one, which `api` names, is gone
    (410), or as `api_wanted(settings)` tells: the name of one of them, or `AUTO`.

    Raises ValueError, when it is made, for a proof that stands on what it does not offer.
    """

    name: str
    title: str
    dataset: Dataset
    target_type: type[Target]
    settings_type: type[ProviderSettings]
    addressing: Positions | Cursors
    proofs: tuple[Proof, ...]
    auth_headers: Callable[[Any, Outgoing, datetime], dict[str, str]]
    explain: Callable[[int, Mapping[str, str], bytes], ProviderError]
    max_page_size: int
    extra_columns: tuple[str, ...] = ()
    partial_in_a_row: Callable[[Any], int] = lambda _: 0
    chain: Chain | None = None
    api: str = ""
    successor: Way | None = None
    api_wanted: Callable[[Any], str] = lambda _: AUTO

    @property
    def ways(self) -> tuple[Way, ...]:
        """The first API, and its successor where there is one."""
        first = Way(self.api, self.addressing, self.proofs)
        return (first, self.successor) if self.successor else (first,)

    @property
    def all_proofs(self) -> tuple[Proof, ...]:
        """What its snapshots can be proven by, whichever API they were read by."""
        return tuple(dict.fromkeys(proof for way in self.ways for proof in way.proofs))

    def __post_init__(self) -> None:
        for way in self.ways:
            offered = way.addressing.grounds
            if self.dataset.ordered:
                offered |= {Ground.STEADY_ORDER}
            for proof in way.proofs:
                if missing := proof.stands_on - offered:
                    raise ValueError(
                        f"{self.name} lists the proof {proof}, which stands on"
                        f" {' and '.join(sorted(missing))}: its"
                        f" {type(way.addressing).__name__} and its dataset don't offer that"
                    )
        if Proof.DOUBLE_COLLECT not in self.proofs:
            raise ValueError(
                f"{self.name} does not list the proof {Proof.DOUBLE_COLLECT}: no first snapshot of"
                " one page could be confirmed"
            )

    def extra_values(self, extra: Extra | None) -> dict[str, Value]:
        """The columns of `snapshot` for what a walk's pages told beside their rows."""
        return dict(zip(self.extra_columns, extra or [None] * len(self.extra_columns), strict=True))


MAX_AMOUNT = Decimal(2**256 - 1)
_MAX_WHOLE = int(MAX_AMOUNT)
MIN_EXPONENT = -40
MAX_COUNT = 2**63 - 1


def amount(value: int | str | Decimal, path: str) -> Decimal:
    """An amount as an exact, finite, non-negative Decimal of a sane size.

    Raises MalformedAnswer naming `path`. 2^256 - 1 is the largest amount a token contract can
    hold; fewer digits than `MIN_EXPONENT` after the point are known of no provider.
    """
    if type(value) is int and 0 <= value <= _MAX_WHOLE:
        return Decimal(value)
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,78}", value):
        raise MalformedAnswer(f"{path} is {shorten(value)!r}, expected an amount")
    number = Decimal(value)
    if not number.is_finite() or number < 0 or number > MAX_AMOUNT:
        found = shorten(str(number))
        raise MalformedAnswer(f"{path} is {found}, expected an amount from 0 to 2^256 - 1")
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or not MIN_EXPONENT <= exponent <= len(str(MAX_AMOUNT)):
        found = shorten(str(number))
        raise MalformedAnswer(f"{path} is {found}, expected at most {-MIN_EXPONENT} decimals")
    return number


def count(value: int, path: str) -> int:
    """A number of rows as it came. Raises MalformedAnswer naming `path` where it can't be one."""
    if not 0 <= value <= MAX_COUNT:
        raise MalformedAnswer(f"{path} is {shorten(str(value))}, expected 0 or more")
    return value


def whole(value: int | str | Decimal, path: str) -> int:
    """An amount that has to be whole, as an int. Raises MalformedAnswer naming `path`."""
    if type(value) is int and 0 <= value <= _MAX_WHOLE:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 78:
        return int(value)
    number = amount(value, path)
    if number != number.to_integral_value():
        raise MalformedAnswer(f"{path} is {number}, expected a whole amount")
    return int(number)


def api_key_header(key: SecretStr | None) -> dict[str, str]:
    """The header that carries a key; none without one."""
    return {"x-api-key": key.get_secret_value()} if key else {}


def refusal(status: int, detail: str, advice: str = "") -> ProviderError:
    """The error for a status other than 200, by the rule that all providers share."""
    message = f"answered {status}: {detail}" + (f". {advice}" if advice else "")
    if status == 429:
        return RateLimited(message)
    if status >= 500 or status == 408:
        return ServerFailed(message)
    refused = RequestRefused(message)
    refused.status = status
    return refused


def quota_exhausted(detail: str, advice: str) -> ProviderError:
    return QuotaExhausted(f"answered 429: {detail}. {advice}")


def shorten(text: str, length: int = 120) -> str:
    """`text` cut to `length`, for messages: no half of a credential is left at the cut."""
    return text if len(text) <= length else f"{redacted(text)[:length]}…"


def printable(text: str, length: int = 120) -> str:
    """Text that a server chose, shortened, for messages: no escape sequence, line break or change
    of direction gets through to a terminal."""
    return "".join(
        letter if letter.isprintable() else ascii(letter)[1:-1] for letter in shorten(text, length)
    )


def excerpt(body: bytes, length: int = 120) -> str:
    """The beginning of a body for a message, printable whatever it holds."""
    return repr(shorten(body[: length * 4].decode("utf-8", "replace"), length))
