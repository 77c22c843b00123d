"""Where the project's own files are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The project's folder: sql/, targets.yaml and .env are found from here."""

REPORT_FILE = "report.html"
"""The page that Dagster writes anew after snapshots, in the state folder."""
