"""The build hook of hatch, which adds the documentation site to the wheel if it is built."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SiteHook(BuildHookInterface):  # type: ignore[misc, type-arg]
    """Adds ``docs/_site`` to a wheel as ``photseries/server/site``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder, except to an editable installation, which has the checkout."""
        site = Path(self.root, "docs/_site")
        if version != "editable" and (site / "index.html").exists():
            build_data["force_include"][str(site)] = "photseries/server/site"
