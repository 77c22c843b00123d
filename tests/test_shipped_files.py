"""Files that people copy or read keep up with the code."""

import re

from pipelines.paths import ROOT
from pipelines.settings_reference import COMMAND, configuration_page, example_env


def test_the_configuration_page_is_what_the_settings_say():
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == configuration_page(), f"docs/configuration.md is stale: run {COMMAND}"


def test_the_example_environment_is_what_the_settings_say():
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert example == example_env(), f".env.example is stale: run {COMMAND}"


def test_every_file_that_the_readme_and_the_docs_link_to_is_there():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
