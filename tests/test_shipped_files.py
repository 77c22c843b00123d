"""Files that people copy or read keep up with the code."""

import re

from pydantic_settings import BaseSettings

from pipelines.paths import ROOT
from pipelines.providers import PROVIDERS
from pipelines.settings import Settings


def names(kind: type[BaseSettings]) -> set[str]:
    prefix = kind.model_config.get("env_prefix", "")
    return {f"{prefix}{field}".upper() for field in kind.model_fields}


def test_every_name_in_the_example_environment_is_a_setting():
    known = names(Settings).union(*(names(p.settings_type) for p in PROVIDERS.values()))
    written = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert written - known == set()
    assert names(Settings) <= written


def test_the_shared_settings_are_all_mentioned_with_their_defaults():
    text = (ROOT / ".env.example").read_text()
    for field, info in PROVIDERS["hiro"].settings_type.model_fields.items():
        name = field.upper()
        if f"HIRO_{name}=" not in text:
            assert f"{name}={str(info.default).removesuffix('.0')}" in text


def test_every_file_that_the_readme_and_the_docs_link_to_is_there():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
