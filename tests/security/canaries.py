"""Secrets that can be recognised, planted in every secret setting, and where they might come up."""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from pipelines.sandbox.answers import Answer, Exchange

SENT_IN = ("authorization", "x-api-key")
"""Headers that carry a credential, or what was made of one."""


@dataclass
class Canaries:
    """The planted secrets by the setting that holds them, and the signatures that were sent."""

    planted: dict[str, str] = field(default_factory=dict)
    signatures: set[str] = field(default_factory=set)
    told_to_processes: set[bytes] = field(default_factory=set)

    def plant(self, setting: str) -> str:
        """A secret with an @, which a URL needs percent-encoded."""
        self.planted[setting] = f"canary@{secrets.token_hex(12)}"
        return self.planted[setting]

    def watch(self, exchange: Exchange) -> None:
        """Keep what was sent, and every command line there is while it is sent."""
        credential = exchange.headers.get("authorization", "")
        self.signatures.update(filter(None, [credential.rpartition("Signature=")[2]]))
        self.told_to_processes.update(command_lines())

    def found_in(self, content: bytes) -> list[str]:
        """The settings whose secret is in there, as it is or percent-encoded."""
        found = [
            name
            for name, secret in self.planted.items()
            if secret.encode() in content or quote(secret, safe="").encode() in content
        ]
        return found + [
            f"signature {signature}"
            for signature in self.signatures
            if signature.encode() in content
        ]

    def found_in_files(self, *folders: Path, but: tuple[Path, ...] = ()) -> dict[str, list[str]]:
        """Each file under the folders that holds one."""
        files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
        found = {str(file): self.found_in(file.read_bytes()) for file in files if file not in but}
        return {file: names for file, names in found.items() if names}

    def found_in_tables(self, url: str) -> dict[str, list[str]]:
        """Each table of the database that holds one, in whatever column."""
        found = {}
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            tables = connection.execute(
                "select relname from pg_class"
                " where relkind = 'r' and relnamespace = 'public'::regnamespace"
            ).fetchall()
            for (table,) in tables:
                copied = sql.SQL("copy {} to stdout").format(sql.Identifier(table))
                with connection.cursor().copy(copied) as rows:
                    found[table] = self.found_in(b"".join(map(bytes, rows)))
        return {table: names for table, names in found.items() if names}


def command_lines() -> Iterator[bytes]:
    """What every process of this machine was started with: anybody may read that."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            yield (process / "cmdline").read_bytes()


def echo(exchange: Exchange, status: int) -> Answer:
    """An answer that repeats all the headers that came, what is secret first: a message shows the
    beginning of an answer."""
    headers = sorted(exchange.headers.items(), key=lambda header: header[0] not in SENT_IN)
    said = "; ".join(value.rpartition("Signature=")[2] for _, value in headers)
    body = f'{{"status": "{said}", "message": "{said}", "error": "{said}", "data": "{said}"}}'
    return Answer(status, {"location": f"http://x/?{quote(said)}"}, body.encode())


def clean(names: tuple[str, ...]) -> dict[str, str]:
    """The environment without what begins so."""
    return {name: value for name, value in os.environ.items() if not name.startswith(names)}
