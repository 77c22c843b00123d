"""The notebook runs from its first cell to its last, on snapshots like the demo's."""

import nbformat
import pytest
from nbclient import NotebookClient

from pipelines.paths import ROOT
from pipelines.sandbox.world import World
from pipelines.warehouse.concentration import refresh_concentration
from tests.commands.conftest import clean_around
from tests.patience import PATIENCE

NOTEBOOK = ROOT / "examples" / "notebook.ipynb"


@pytest.fixture
def demo_like(pipeline, world: World, database_url, tmp_path, monkeypatch):
    """Three snapshots of targets with the demo's labels; the environment for who reads them."""
    item, asset = world.add_altura_item(60), world.add_catenis_asset(30)
    principal = world.add_hiro_principal(40)
    targets = [
        pipeline.target(item, label="Season pass"),
        pipeline.target(asset, label="Loyalty points"),
        pipeline.target(principal, label="A collector"),
    ]
    for _ in range(3):
        for target in targets:
            pipeline.take(target)
        world.tick(4)
    with pipeline.warehouse.connect() as connection:
        refresh_concentration(connection)
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return clean_around(tmp_path) | {"DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)}


def test_every_cell_runs_and_every_plot_is_drawn(demo_like, tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=int(PATIENCE), resources=resources).execute(env=demo_like)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [(cell.source, output) for cell in cells for output in cell.outputs]
    assert [text for text, output in outputs if output.output_type == "stream"] == []
    drawn = [source for source, output in outputs if "image/png" in output.get("data", {})]
    assert drawn == [cell.source for cell in cells if "plt.show()" in cell.source]
    tables = [source for source, output in outputs if "text/html" in output.get("data", {})]
    assert len(tables) == 7


def test_it_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert [cell.outputs for cell in notebook.cells if cell.get("outputs")] == []
