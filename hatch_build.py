"""Puts the shipped plans into the wheel: processors/*.py becomes coffea_ddp/plan/shipped/*.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShippedPlans(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # plans are read from processors/ itself
            return
        for plan in sorted(Path(self.root, "processors").glob("*.py")):
            build_data["force_include"][str(plan)] = f"coffea_ddp/plan/shipped/{plan.name}"
