"""The house's directions: imports run down, the harness knows no wing, wings use the public contract only."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
PUBLIC = {
    "cvbench.samples",
    "cvbench.scenes",
    "cvbench.datasets",
    "cvbench.clips",
    "cvbench.decoding",
    "cvbench.contracts",
    "cvbench.training",
    "cvbench.seeds",
    "cvbench.durable",
    "cvbench.errors",
    "cvbench.fidelity",
    "cvbench.fidelity.probe",
    "cvbench.corruptions",
    "cvbench.plugins",
}
WINGS = {"cvbench_tasks": REPOSITORY / "tasks", "cvbench_generators": REPOSITORY / "generators"}
HEAVY = ("torch", "torchvision", "sklearn", "scipy", "cv2")


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names.add(node.module)
    return names


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def test_the_harness_imports_no_wing():
    for file in files(REPOSITORY / "cvbench"):
        assert not {n for n in imported(file) if n.split(".")[0] in WINGS}, file


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_uses_the_public_contract_only(wing):
    others = set(WINGS) - {wing}
    for file in files(WINGS[wing]):
        for name in imported(file):
            top = name.split(".")[0]
            assert top not in others, f"{file} imports {name}"
            assert top != "cvbench" or name in PUBLIC, f"{file} imports {name}"


def test_there_are_no_circles():
    graph = {}
    for package in ("cvbench", "tasks/cvbench_tasks", "generators/cvbench_generators"):
        root = (REPOSITORY / package).parent
        for file in files(REPOSITORY / package):
            name = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            top_level = ast.parse(file.read_text())
            graph[name] = {n.module for n in top_level.body if isinstance(n, ast.ImportFrom)}
    done, path = set(), []

    def visit(name: str) -> None:
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name in done or name not in graph:
            return
        path.append(name)
        for other in graph[name]:
            visit(other)
        done.add(path.pop())

    for name in graph:
        visit(name)


@pytest.mark.parametrize("command", [["--help"], ["list"], ["list", "models"], ["plan", "--help"], ["run", "--help"]])
def test_quick_commands_import_nothing_heavy(command):
    program = (
        "import sys; from cvbench.cli import main; sys.argv[1:] = " + repr(command) + "\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert not e.code\n"
        f"print(*[m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("command", ["--help", "list"])
def test_quick_commands_answer_quickly(command):
    """Under 0.8 s of processor time: twice what an idle machine takes; torch alone would take several seconds."""

    def seconds() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-m", "cvbench", command], capture_output=True, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(seconds() for _ in range(4)) < 0.8
