"""The providers that the sandbox stands in for, a module or folder each.

`SANDBOXES` is the only list of them; everything else looks one up there or iterates over it. A
provider without an entry is not served.
"""

from pipelines.sandbox.contract import ProviderSandbox
from pipelines.sandbox.providers.altura import AlturaSandbox, AlturaVerbs
from pipelines.sandbox.providers.catenis import CatenisSandbox, CatenisVerbs
from pipelines.sandbox.providers.hiro import HiroSandbox, HiroVerbs

__all__ = ["SANDBOXES", "WorldVerbs"]

SANDBOXES: dict[str, ProviderSandbox] = {
    sandbox.name: sandbox for sandbox in (AlturaSandbox(), HiroSandbox(), CatenisSandbox())
}


class WorldVerbs(AlturaVerbs, HiroVerbs, CatenisVerbs):
    """What one can make happen by name, to the targets of each provider that has verbs."""
