"""Puts what the program reads into the wheel: in a checkout it lies beside the package.

It comes to lie inside the package, where `pipelines.paths.shipped` looks for it: site-packages
belongs to everything that is installed there. An editable install reads the checkout, where a copy
would only grow old; hatchling's own force-include would make one.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Shipped(BuildHookInterface):
    """Adds the files and folders that pyproject.toml names, for this hook, as `shipped`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            inside = {name: f"pipelines/shipped/{name}" for name in self.config["shipped"]}
            build_data["force_include"].update(inside)
