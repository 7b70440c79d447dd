"""What `uv.lock` says should be installed, on this machine or on another."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from packaging.markers import Marker, default_environment
from packaging.utils import canonicalize_name

PROJECT = "kmscourse"


class Lock:
    """A uv.lock, read."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._packages: list[dict[str, Any]] = tomllib.load(file)["package"]

    def wanted(self, machine: Mapping[str, str] | None = None) -> dict[str, str]:
        """Versions by normalised name: all that the course needs to run.

        `machine` holds PEP 508 environment markers (sys_platform, python_full_version, ...) that
        differ from those of this machine.
        """
        here = cast("dict[str, str]", default_environment())
        markers: dict[str, str] = {**here, **(machine or {}), "extra": ""}
        project = next(each for each in self._packages if each["name"] == PROJECT)
        found: dict[str, str] = {}
        to_visit: list[tuple[dict[str, Any], str]] = [(project, "")]
        seen: set[tuple[str, str, str]] = set()
        while to_visit:
            package, extra = to_visit.pop()
            key = (package["name"], package.get("version", ""), extra)
            if key in seen:
                continue
            seen.add(key)
            if package is not project:
                found[canonicalize_name(package["name"])] = package["version"]
            needs = package.get("optional-dependencies", {}).get(extra, []) if extra else []
            for need in needs if extra else package.get("dependencies", []):
                if "marker" in need and not Marker(need["marker"]).evaluate(markers):
                    continue
                chosen = self._find(need, markers)
                to_visit.append((chosen, ""))
                to_visit += [(chosen, each) for each in need.get("extra", [])]
        return found

    def newest_upload(self) -> datetime:
        """When the newest file that the lock names was published: today is later than that."""
        times = [
            datetime.fromisoformat(file["upload-time"])
            for package in self._packages
            for file in (package.get("sdist", {}), *package.get("wheels", []))
            if "upload-time" in file
        ]
        return max(times)

    def sources(self) -> set[str]:
        """Every address that the lock fetches from."""
        found: set[str] = set()
        for package in self._packages:
            found |= {str(value) for value in package["source"].values() if value != "."}
            found |= {
                str(file["url"])
                for file in (package.get("sdist", {}), *package.get("wheels", []))
                if file
            }
        return found

    def _find(self, need: dict[str, Any], markers: dict[str, str]) -> dict[str, Any]:
        matches = [
            each
            for each in self._packages
            if each["name"] == need["name"]
            and need.get("version", each.get("version")) == each["version"]
        ]
        fitting = [
            each
            for each in matches
            if "resolution-markers" not in each
            or any(Marker(marker).evaluate(markers) for marker in each["resolution-markers"])
        ]
        return (fitting or matches)[0]
