"""The one tree of errors.

A class answers the only question that code asks of an error: would another attempt change it?
Everything else is in the message, which is written for the person who has to act on it: what
happened, to which provider, target and page, and what to do.

    HoldfastError
    ├── ConfigurationError          the environment, targets.yaml or the machine is not as needed
    │   ├── EmbeddedPostgresError   the project's own Postgres can't be found, started or stopped
    │   ├── SchemaNotReady          the database has not been migrated to this version
    │   └── SessionNotKept          a pooler answers each transaction from another session
    ├── ProviderError               a provider's answer, or its absence
    │   ├── Unreachable        (t)  timeout, connection refused or lost
    │   ├── RateLimited        (t)  429
    │   ├── ServerFailed       (t)  5xx
    │   ├── ProviderDown            not asked, as it has not answered for minutes
    │   ├── QuotaExhausted          429, and waiting minutes won't help
    │   ├── RequestRefused          400, 401, 403, 404, 410, a redirect
    │   └── MalformedAnswer         not what the provider's documentation describes
    │       └── BrokenAnswer   (t)  no JSON at all: cut off, or a page of something on the way
    ├── TornWalk               (t)  the pages are not one state of the provider
    │   └── OutOfOrder         (t)  a row stands where its pages' order has no place for it
    ├── Contradicted           (t)  what changed does not fit what is published
    ├── HeldBack                    proven, but so different that a later walk has to agree
    ├── Superseded             (t)  a walk that overlapped this one was published first
    ├── MomentRefused               a moment was given that can't be a snapshot's
    ├── TargetBusy             (t)  another process publishes the same target
    ├── Cancelled              (t)  the run was ended from outside
    ├── RunEnded                    the run was taken for dead and ended, and must not publish
    ├── ServiceFailed               a part of `holdfast up` ended by itself or can't be stopped
    ├── FileNotWritten              a file that was asked for can't be written: no room, no right
    ├── Unexpected                  a mistake in Holdfast itself
    ├── WarehouseUnreachable   (t)  no connection to Postgres, or it was lost
    ├── WarehouseInterrupted   (t)  Postgres gave up: no disk, a lock, a timeout, a deadlock
    └── WarehouseRefused            Postgres does not accept what it was given
        └── AccessRefused           it does not let us in, or a right is missing; a
                                    ConfigurationError, too: DATABASE_URL names another role's place

(t): transient, another attempt may succeed.
"""

from pipelines.redaction import redacted


class HoldfastError(Exception):
    """Base of all errors that Holdfast raises on purpose.

    `where` names the provider, target and page; the layer that knows them adds them to an error
    that comes from below. What it says is free of credentials, whatever it was made from.
    """

    transient = False

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(redacted(message))
        self.message = message
        self.where = where

    @property
    def message(self) -> str:
        return self._message

    @message.setter
    def message(self, text: str) -> None:
        self._message = redacted(text)

    def __str__(self) -> str:
        return f"{redacted(self.where)}: {self.message}" if self.where else self.message

    def located(self, where: str) -> "HoldfastError":
        """This error, with `where` set unless a layer below knew better."""
        self.where = self.where or where
        return self


class ConfigurationError(HoldfastError):
    """The environment, targets.yaml or the machine is not as needed."""


def mistaken(what: str, mistakes: list[str]) -> ConfigurationError:
    """The error that lists all mistakes in something that people write, a line each."""
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return ConfigurationError("\n  ".join([f"{count} in {what}:", *mistakes]))


class EmbeddedPostgresError(ConfigurationError):
    """The project's own Postgres can't be found, started or stopped."""


class SchemaNotReady(ConfigurationError):
    """The database has not been migrated to the version that this code needs."""


class SessionNotKept(ConfigurationError):
    """A transaction ran in another session of Postgres than the one that holds the walk's rows."""


class ProviderError(HoldfastError):
    """A provider's answer, or its absence. `retry_after`: the seconds that the server asked for."""

    retry_after: float | None = None


class Unreachable(ProviderError):
    """Timeout, connection refused, connection lost."""

    transient = True


class RateLimited(ProviderError):
    """Status 429."""

    transient = True


class ServerFailed(ProviderError):
    """Status 5xx."""

    transient = True


class ProviderDown(ProviderError):
    """The provider has not answered for minutes; the request was not sent."""


class QuotaExhausted(ProviderError):
    """Status 429 for a quota that does not come back within minutes."""


class RequestRefused(ProviderError):
    """A 4xx or a redirect: the same request will be answered the same way. `status`: the answer's,
    where it matters which."""

    status: int | None = None


class MalformedAnswer(ProviderError):
    """The body is not what the provider's documentation describes, or too large."""


class BrokenAnswer(MalformedAnswer):
    """A 200 whose body is no JSON: it was cut off, or something on the way wrote its own page."""

    transient = True


class TornWalk(HoldfastError):
    """The pages are not one state of the provider: the set moved while it was read."""

    transient = True


class OutOfOrder(TornWalk):
    """A row stands at two positions, or another one in its place: the set moved, or rows are
    tied."""


class Contradicted(HoldfastError):
    """What changed since the last snapshot does not fit its rows: a whole walk has to tell."""

    transient = True


class HeldBack(HoldfastError):
    """Proven, but empty or so much smaller than before that a later walk has to agree."""

    def __init__(self, message: str, *, rows: int) -> None:
        super().__init__(message)
        self.rows = rows


class Superseded(HoldfastError):
    """A walk that began after this one, or overlapped it, was published first."""

    transient = True


class MomentRefused(HoldfastError):
    """A moment was given that nobody may tell here, or that the history has no room for."""


class TargetBusy(HoldfastError):
    """Another process holds this target's lock."""

    transient = True


class Cancelled(HoldfastError):
    """The run was ended from outside while the target was under way."""

    transient = True


class RunEnded(HoldfastError):
    """The run was ended from outside, as it showed no sign of life; another may be at its work."""


class ServiceFailed(HoldfastError):
    """A part of `holdfast up` ended by itself, does not answer, or can't be stopped."""


class FileNotWritten(HoldfastError):
    """A file that was asked for can't be written: no room on the disk, no right to, or a value that
    its format can't hold exactly."""


class Unexpected(HoldfastError):
    """A mistake in Holdfast itself; it ends its target only."""


class WarehouseUnreachable(HoldfastError):
    """No connection to Postgres could be made, or it was lost."""

    transient = True


class WarehouseInterrupted(HoldfastError):
    """Postgres gave up on a statement for a reason that may pass: no disk, a lock, a timeout."""

    transient = True


class WarehouseRefused(HoldfastError):
    """Postgres does not accept what it was given: a right is missing, a check failed."""


class AccessRefused(WarehouseRefused, ConfigurationError):
    """Postgres does not let us in (a wrong password, no such database), or the role lacks a right:
    what is wrong is the configuration, and so is the exit code."""
