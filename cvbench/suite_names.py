"""The suites that come with cvbench, by name; cheap to ask, so it stands apart from the schema."""

from __future__ import annotations

from importlib import resources


def builtin_suites() -> dict[str, str]:
    """Name → summary."""
    found = {}
    for file in resources.files("cvbench").joinpath("suites").iterdir():
        if file.name.endswith(".yaml"):
            lines = file.read_text("utf-8").splitlines()
            summary = next((line for line in lines if line.startswith("summary:")), "")
            found[file.name.removesuffix(".yaml")] = summary.removeprefix("summary:").strip()
    return dict(sorted(found.items()))


def builtin_text(name: str) -> str:
    """The YAML of a built-in suite."""
    return resources.files("cvbench").joinpath("suites", f"{name}.yaml").read_text("utf-8")
