"""`holdfast audit`: whether what is stored is still what was published."""

import typer
from rich.console import Console

from pipelines.analysis.tables import printable, rows_table
from pipelines.commands.terminal import (
    FAILED,
    Json,
    err,
    out,
    print_json,
    reading_runtime,
    tell,
)
from pipelines.providers import PROVIDERS
from pipelines.warehouse.audit import Finding
from pipelines.warehouse.audit import audit as audit_dataset


def audit(context: typer.Context, *, as_json: Json = False) -> None:
    """Check that the history is whole: no version lost, altered, doubled or overlapping.

    Reads every row and writes nothing; takes seconds for a million rows, and may run while
    snapshots are taken. The exit code is 1 when something is found.

    \b
    holdfast audit
    holdfast audit --json | jq '.[] | select(.count > 0)'
    """
    runtime = reading_runtime(context)
    findings: list[Finding] = []
    with runtime.open_warehouse() as warehouse:
        for provider in PROVIDERS.values():
            for finding in audit_dataset(warehouse, provider):
                findings.append(finding)
                _tell_progress(err, finding)
    broken = [finding for finding in findings if not finding.passed]
    if as_json:
        print_json(_record(finding) for finding in findings)
    else:
        _print_table(findings)
        for finding in broken:
            _print_finding(finding)
    if broken:
        raise typer.Exit(FAILED)
    tell(f"Nothing is wrong: {len(findings)} checks, each over all rows and snapshots.")


def _tell_progress(console: Console, finding: Finding) -> None:
    """A line for each rule, for whoever waits at a terminal for a large warehouse."""
    if console.is_terminal:
        told = f"{finding.dataset}: {finding.rule.name}, {finding.seconds:.1f} s"
        console.print(told, markup=False, highlight=False)


def _print_table(findings: list[Finding]) -> None:
    datasets = list(dict.fromkeys(finding.dataset for finding in findings))
    counts: dict[str, dict[str, object]] = {}
    for finding in findings:
        found = counts.setdefault(finding.rule.name, dict.fromkeys(datasets))
        found[finding.dataset] = finding.count or "ok"
    rows = [[name.replace("_", " "), *found.values()] for name, found in counts.items()]
    title = "What was found, rule by rule"
    out.print(rows_table(["rule", *datasets], rows, title))


def _print_finding(finding: Finding) -> None:
    lines = (printable(line) for line in str(finding).splitlines())
    out.print("\n".join(["", *lines]), markup=False, highlight=False, soft_wrap=True)


def _record(finding: Finding) -> dict[str, object]:
    rule = finding.rule
    return {
        "dataset": finding.dataset,
        "rule": rule.name,
        "passed": finding.passed,
        "count": finding.count,
        "examples": [vars(example) for example in finding.examples],
        "sentence": rule.sentence,
        "means": rule.means,
        "advice": rule.advice,
        "seconds": round(finding.seconds, 3),
    }
