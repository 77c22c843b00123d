"""`holdfast report`."""

from pathlib import Path

from pipelines.sandbox.world import World


def test_report_writes_a_page_and_says_where(holdfast, environment, world: World, tmp_path: Path):
    page = tmp_path / "pages of mine" / "report.html"
    page.parent.mkdir()
    before = holdfast("report", "--out", str(page), **environment)
    assert (before.returncode, before.stdout) == (0, f"{page}\n")
    assert page.read_text().count("never taken</span>") == 3
    holdfast("snapshot", **(environment | {"CATENIS_API_SECRET": "wrong"}))
    [asset] = world.targets("catenis")
    chosen = ("--target", "The vault", "--target", asset)
    done = holdfast("report", *chosen, "--out", str(page), **environment)
    assert (done.returncode, done.stdout) == (0, f"{page}\n")
    assert f"A report of 2 targets. Open it: {page.as_uri()}" in done.stderr
    assert page.as_uri().endswith("/pages%20of%20mine/report.html")
    html = page.read_text()
    assert "One snapshot so far" in html
    assert ">250<" in html
    assert "1 run failed since" in html
    assert "answered 401" in html
    assert list(page.parent.iterdir()) == [page]


def test_report_of_a_target_that_nobody_knows_names_what_comes_close(
    holdfast, environment, tmp_path: Path
):
    page = tmp_path / "report.html"
    unknown = holdfast("report", "--target", "the vault", "--out", str(page), **environment)
    assert (unknown.returncode, "did you mean The vault" in unknown.stderr) == (2, True)
    assert not page.exists()
