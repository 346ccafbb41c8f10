"""Longshore as `pip install .` leaves it: no work tree beside it, run from anywhere."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

import pytest

from longshore.components import COMPONENTS
from longshore.components.component import GoModule
from longshore.testing.ports import free_ports
from longshore.testing.wait import wait_until

TREE = Path(__file__).parents[3]
BUILT_FROM = ("src", "components", "pyproject.toml", "README.md")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.egg-info")
COMMAND_SECONDS = 60
WHERE_MODULES_ARE = """
from longshore.components import COMPONENTS
from longshore.components.component import GoModule
from longshore.components.sources.go_module import module_folder
for component in COMPONENTS.values():
    for source in component.sources:
        if isinstance(source, GoModule):
            print(module_folder(source))
"""


class Installed:
    """The programs of a virtual environment, run from `/` with nothing of the tests' own."""

    def __init__(self, home: Path) -> None:
        self.programs = home / "venv/bin"
        self.data_dir = home / "data"
        self.environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}

    def run(self, program: str, *arguments: object, **further: str) -> str:
        done = subprocess.run(
            [self.programs / program, *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            cwd="/",
            env=self.environment | further,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def _build_wheel(home: Path) -> Path:
    """Of a copy, so that no build leaves anything in the tree."""
    copy = home / "copy"
    copy.mkdir()
    for name in BUILT_FROM:
        if (TREE / name).is_dir():
            shutil.copytree(TREE / name, copy / name, ignore=NOT_COPIED)
        else:
            shutil.copy(TREE / name, copy / name)
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", home, copy],
        check=True,
        timeout=COMMAND_SECONDS,
    )
    shutil.rmtree(copy)
    return next(home.glob("longshore-*.whl"))


@pytest.fixture(scope="module")
def installed():
    home = Path(tempfile.mkdtemp(prefix="longshore-package-"))
    try:
        wheel = _build_wheel(home)
        venv.create(home / "venv", symlinks=True)
        running = Installed(home)
        places = {"base": str(home / "venv"), "platbase": str(home / "venv")}
        packages = Path(sysconfig.get_path("purelib", "venv", places))
        pip = [sys.executable, "-m", "pip", "--python", running.programs / "python"]
        subprocess.run(
            [*pip, "install", "--no-deps", "--quiet", "--disable-pip-version-check", wheel],
            check=True,
            timeout=COMMAND_SECONDS,
        )
        # What Longshore depends on; the .pth file in there that names the work tree is not read.
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        yield running
    finally:
        shutil.rmtree(home)


def test_go_modules_come_with_the_package(installed):
    folders = [Path(line) for line in installed.run("python", "-c", WHERE_MODULES_ARE).splitlines()]
    wanted = [
        source.folder
        for component in COMPONENTS.values()
        for source in component.sources
        if isinstance(source, GoModule)
    ]
    assert [folder.name for folder in folders] == wanted
    for folder in folders:
        assert folder.is_relative_to(installed.programs.parent)
        original = TREE / "components" / folder.name
        files = {path.relative_to(original) for path in original.rglob("*.*") if path.is_file()}
        assert {path.relative_to(folder) for path in folder.rglob("*.*")} >= files


def test_same_components_are_wanted_as_from_the_work_tree(installed):
    command = [sys.executable, "-m", "longshore.main", "components", "list"]
    here = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert installed.run("longshore", "components", "list") == here


def test_installed_longshore_starts_runs_a_task_and_is_purged(installed):
    where = ("--data-dir", installed.data_dir)
    port = free_ports(4)
    told = installed.run(
        "longshore", "up", "--detach", "--runtime", "simulated", "--port", port, *where
    )
    try:
        assert told == f"Longshore is up: http://127.0.0.1:{port}\n"
        exports = dict(
            line.removeprefix("export ").split("=", 1)
            for line in installed.run("longshore", "env", *where).splitlines()
            if line.startswith("export ")
        )
        aws = Aws(exports)
        aws.answer(
            *("register-task-definition", "--family", "packaged", "--container-definitions"),
            '[{"name": "main", "image": "nothing", "memory": 64}]',
        )
        task = aws.answer(
            *("run-task", "--task-definition", "packaged", "--launch-type", "EC2"),
            *("--query", "tasks[0].taskArn"),
        )
        status = ("describe-tasks", "--tasks", task, "--query", "tasks[0].lastStatus")
        assert wait_until(lambda: aws.answer(*status) == "RUNNING", 20)
    finally:
        installed.run("longshore", "down", "--purge", *where)
    assert not installed.data_dir.exists()


class Aws:
    """`aws ecs` of the tests' environment, with what `longshore env` exports."""

    def __init__(self, exports: dict[str, str]) -> None:
        self.environment = os.environ | exports

    def answer(self, *arguments: str) -> str:
        return subprocess.run(
            [Path(sys.executable).parent / "aws", "ecs", "--output", "text", *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            env=self.environment,
        ).stdout.strip()
