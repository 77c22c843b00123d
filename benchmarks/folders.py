"""Where the benchmark keeps what."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN_PYTHON = ROOT / ".venv/bin/python"
PEERS_PYTHON = ROOT / "benchmarks/.venv/bin/python"
RESULTS = ROOT / "benchmarks/results"
SCRATCH = ROOT / "benchmarks/.scratch"
