"""What a person reads when everything runs, beside what `holdfast up` itself is seen to say."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.service.announcement import announce
from pipelines.service.files import ServiceFiles


def announced(files: ServiceFiles) -> list[str]:
    out = io.StringIO()
    announce(files, "http://127.0.0.1:3000", "db", [], Console(file=out, width=40), demo=False)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("is_there", [False, True])
def test_the_report_is_named_and_whether_it_is_there_yet(tmp_path: Path, is_there: bool):
    files = ServiceFiles(tmp_path / "state folder")
    if is_there:
        files.home.mkdir()
        files.report.touch()
    [line] = [line for line in announced(files) if line.startswith("  Report")]
    later = "" if is_there else "   is there after the first snapshots"
    assert line == f"  Report      file://{tmp_path}/state%20folder/report.html{later}"
