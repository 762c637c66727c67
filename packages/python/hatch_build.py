"""Marks a wheel that contains the program with the platforms that the program runs on."""

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProgramHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if os.path.isdir(os.path.join(self.root, "src", "machins_mock", "bin")):
            build_data["pure_python"] = False
            build_data["tag"] = "py3-none-" + os.environ["MACHINS_MOCK_PLATFORM_TAG"]
