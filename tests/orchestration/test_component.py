"""The component gives the same definitions as the code location does, with its attributes."""

import shutil
from pathlib import Path

import dagster as dg
import pytest
from dagster.components.testing import create_defs_folder_sandbox

from pipelines.component import Holdfast
from pipelines.demo import TARGETS


@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20")  # of Dagster's own
def test_a_component_loads_the_assets_with_its_attributes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/x")
    attributes = {
        "targets": "targets.yaml",
        "asset_prefix": "company",
        "asset_group": "tokens",
        "asset_owners": ["team:data"],
    }
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            component_cls=Holdfast,
            defs_yaml_contents={
                "type": "pipelines.component.Holdfast",
                "attributes": attributes,
            },
        )
        shutil.copy(TARGETS, Path(path) / "targets.yaml")
        with sandbox.load_component_and_build_defs(defs_path=path) as (component, defs):
            assert isinstance(component, Holdfast)
            specs = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
    spec = specs[dg.AssetKey(["company", "hiro_nft_holdings"])]
    assert (spec.group_name, list(spec.owners)) == ("tokens", ["team:data"])
    assert len(spec.partitions_def.get_partition_keys()) > 0
