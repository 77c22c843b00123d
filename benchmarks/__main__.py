"""`python -m benchmarks`: measures, prints tables, and keeps them beside their figures and a plot.

    python -m benchmarks                       everything, at full sizes
    python -m benchmarks --quick               everything, small
    python -m benchmarks --case a --rows 200000 --contender holdfast,bare_floor --repetitions 5
    python -m benchmarks --resume              the cases that the last run did not come to
    python -m benchmarks --show full           the tables and the plot of a run that was kept

Results go to benchmarks/results/<name>.json, .md and .png; a run of chosen parts is named `part`.
Exit code 1 where a contender failed or loaded something wrong.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cases import FULL, QUICK, TITLES, Runner, Sizes
from benchmarks.contestants import CONTESTANTS
from benchmarks.databases import databases
from benchmarks.folders import PEERS_PYTHON, RESULTS, SCRATCH
from benchmarks.machine import machine
from benchmarks.measure import Bench
from benchmarks.plot import plot
from benchmarks.report import report
from benchmarks.results import Measurement, Results, read, write
from benchmarks.server_process import HttpServer


def main() -> int:
    arguments = _arguments()
    if arguments.show:
        results = read(RESULTS / f"{arguments.show}.json")
    elif not PEERS_PYTHON.exists():
        sys.stderr.write("The peers are not installed. Say: make bench or make bench-quick\n")
        return 2
    else:
        results = _measure(arguments, _sizes(arguments))
    text = report(results)
    (RESULTS / f"{results.name}.md").write_text(text, encoding="utf-8")
    plot(results, RESULTS / f"{results.name}.png")
    sys.stdout.write(text)
    return 1 if results.failures else 0


def _arguments() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return text.split(",")

    def numbers(text: str) -> tuple[int, ...]:
        return tuple(map(int, text.split(",")))

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--case", type=names, default=list(TITLES), help="of a to g, by commas")
    parser.add_argument("--contender", type=names, default=list(CONTESTANTS), help="by commas")
    parser.add_argument(
        "--rows", type=numbers, help="sizes for a to e and g, in place of the usual"
    )
    parser.add_argument("--repetitions", type=int, help="in place of the usual")
    parser.add_argument("--limit", type=float, help="seconds after which a load is cut off")
    parser.add_argument("--name", help="of the results")
    parser.add_argument("--resume", action="store_true", help="go on with the run of that name")
    parser.add_argument("--show", metavar="NAME", help="measure nothing, show kept results")
    arguments = parser.parse_args()
    for given, known in ((arguments.case, TITLES), (arguments.contender, CONTESTANTS)):
        if unknown := set(given) - set(known):
            parser.error(f"{', '.join(sorted(unknown))} is none of {', '.join(known)}")
    if not arguments.name:
        whole = arguments.case == list(TITLES) and not (arguments.rows or arguments.repetitions)
        whole = whole and arguments.contender == list(CONTESTANTS)
        arguments.name = ("quick" if arguments.quick else "full") if whole else "part"
    return arguments


def _sizes(arguments: argparse.Namespace) -> Sizes:
    sizes = QUICK if arguments.quick else FULL
    if arguments.repetitions:
        sizes = replace(sizes, repetitions=arguments.repetitions)
    if arguments.limit:
        sizes = replace(sizes, limit=arguments.limit)
    if rows := arguments.rows:
        sizes = replace(
            sizes,
            first_rows=rows,
            latency_rows=max(rows),
            again_rows=rows,
            memory_rows=rows,
            memory_largest=(),
            stored_rows=max(rows),
            request_rows=rows,
        )
    return sizes


def _measure(arguments: argparse.Namespace, sizes: Sizes) -> Results:
    """Run the cases, keeping the results after each: a run takes an hour."""
    kept = RESULTS / f"{arguments.name}.json"
    SCRATCH.mkdir(mode=0o755, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        Path(scratch).chmod(0o755)  # Postgres may have to run as another user
        with HttpServer() as server, databases(Path(scratch, "server")) as ours:
            results = Results(
                name=arguments.name,
                began_at=datetime.now(UTC).isoformat(timespec="seconds"),
                repetitions=sizes.repetitions,
                machine=machine(ours),
            )
            if arguments.resume and kept.exists():
                results = read(kept)
            before = results.seconds

            def measured(measurement: Measurement) -> None:
                results.measurements.append(measurement)
                _tell(_line(measurement))

            def failed(failure: str) -> None:
                results.failures.append(failure)
                _tell(failure)

            runner = Runner(
                Bench(server, ours, Path(scratch, "contenders")),
                sizes,
                arguments.contender,
                measured,
                results.storage.append,
                failed,
            )
            for case in arguments.case:
                if case not in results.done:
                    runner.run(case)
                    results.done.append(case)
                    results.seconds = before + time.monotonic() - began
                    write(results, kept)
    return results


def _line(measured: Measurement) -> str:
    took = "cut off" if measured.seconds is None else f"{measured.seconds:.2f} s"
    latency = f" at {measured.latency_ms} ms" if measured.latency_ms else ""
    parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in measured.parts.items())
    return (
        f"({measured.case}) {measured.contestant}, {measured.world}{latency}: {took};"
        f" CPU {measured.cpu_seconds or 0:.2f} s, Postgres {measured.postgres_cpu_seconds:.2f} s"
        + (f"; {parts}" if parts else "")
    )


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
