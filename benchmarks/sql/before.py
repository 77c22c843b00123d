"""The same world under an earlier version's marts, to see what a change has cost or gained.

Its tables are taken to be the same; its views and functions are what is compared.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, LiteralString

import psycopg

OUT: LiteralString = "copy (select * from snapshot_concentration) to stdout"
IN: LiteralString = "copy snapshot_concentration from stdin"


def migrate_by(checkout: Path, url: str) -> None:
    """Migrate an empty database by another checkout's code, under this one's packages. Raises
    CalledProcessError where that fails."""
    subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "migrate"],
        cwd=checkout,
        env={**os.environ, "DATABASE_URL": url},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def copy_concentration(source: psycopg.Connection[Any], to: psycopg.Connection[Any]) -> None:
    """It was computed once: computing it is not what is measured."""
    with source.cursor().copy(OUT) as rows, to.cursor().copy(IN) as taken:
        for block in rows:
            taken.write(block)
