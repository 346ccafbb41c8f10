"""A whole Longshore for tests, started and ended as a user does, with AWS's own clients for it."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from longshore.base.installation import Installation, load_installation
from longshore.cli.installation import AdministratorKey, administrator_key
from longshore.testing.ports import free_ports

COMMAND_SECONDS = 180.0


class RunningLongshore:
    """`longshore up --detach` in a directory of its own; `end` is `longshore down --purge`."""

    def __init__(
        self, data_dir: Path, *options: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment` is what it is given beside the tests' own."""
        self.data_dir = data_dir
        self._given = dict(environment or {})
        self.port = free_ports(4)
        self.command("up", "--detach", "--port", str(self.port), *options)

    @classmethod
    def that_runs(cls, data_dir: Path, port: int) -> "RunningLongshore":
        """One that was started in another way."""
        found = cls.__new__(cls)
        found.data_dir, found.port, found._given = data_dir, port, {}
        return found

    def command(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run `longshore ARGUMENTS --data-dir …`."""
        return subprocess.run(
            [sys.executable, "-m", "longshore.main", *arguments, "--data-dir", str(self.data_dir)],
            check=check,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            env={**os.environ, **self._given},
        )

    @property
    def installation(self) -> Installation:
        installation = load_installation(self.data_dir)
        if installation is None:
            raise AssertionError(f"nothing was set up in {self.data_dir}")
        return installation

    @property
    def key(self) -> AdministratorKey:
        return administrator_key(self.installation)

    def client(
        self, service: str, key: Sequence[str] | None = None, region: str | None = None
    ) -> Any:
        """A botocore client; `key` is (access key id, secret[, session token])."""
        session = botocore.session.Session()
        session.set_credentials(*(key or self.key))
        return session.create_client(
            service,
            region_name=region or self.installation.region,
            endpoint_url=self.installation.endpoint_url,
            config=Config(proxies={}, retries={"total_max_attempts": 1}, max_pool_connections=50),
        )

    def environment(self) -> dict[str, str]:
        """The process environment with what `longshore env` exports."""
        environment = dict(os.environ)
        for line in self.command("env").stdout.splitlines():
            word, _, assignment = line.partition(" ")
            if word == "export":
                name, _, value = assignment.partition("=")
                environment[name] = value.strip("'")
        return environment

    def aws(self, *arguments: str) -> str:
        """What the AWS CLI prints."""
        return subprocess.run(
            self.aws_command(*arguments),
            check=True,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            env=self.environment(),
        ).stdout

    def aws_command(self, *arguments: str) -> list[str]:
        """`aws ARGUMENTS`, to be run in `environment`: version 2 where the machine has it."""
        program = aws_cli_2()
        if program is None:
            beside = shutil.which("aws", path=str(Path(sys.executable).parent))
            return [beside or "aws", *arguments]
        # Debian 12's knows nothing of AWS_ENDPOINT_URL yet: that came with 2.13.
        return [program, "--endpoint-url", self.installation.endpoint_url, *arguments]

    def pid(self, process: str) -> int:
        """Of `control-plane`, `agent`, `containerd` or `supervisor`."""
        return int((self.installation.run_dir / f"{process}.pid").read_text().split()[0])

    def complaints(self, process: str, most: int = 40) -> str:
        """The last warnings and errors in the log of `agent` or `control-plane`."""
        lines = (self.installation.log_dir / f"{process}.log").read_text().splitlines()
        return "\n".join([line for line in lines if '"info"' not in line][-most:])

    def end(self) -> None:
        self.command("down", "--purge")


@functools.cache
def aws_cli_2() -> str | None:
    """The machine's AWS CLI of version 2; None where there is none, or another version."""
    program = shutil.which("aws", path="/usr/local/bin:/usr/bin")
    if program is None:
        return None
    told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    return program if told.stdout.startswith("aws-cli/2") else None
