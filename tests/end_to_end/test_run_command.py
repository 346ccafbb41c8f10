"""`./run` as the README tells it, and what `longshore up` may be told."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from end_to_end.shells import fetch
from end_to_end.traces import traces

from longshore.base.installation import load_installation
from longshore.testing.longshore import RunningLongshore
from longshore.testing.ports import free_ports

RUN = Path(__file__).parents[2] / "run"
RUN_SECONDS = 180
REGION, ACCOUNT = "eu-central-1", "210987654321"


class Place:
    """Where `./run` is told to keep and to offer everything."""

    def __init__(self, directory):
        self.data_dir = directory / "its data"  # a name that a shell has to quote
        self.port = free_ports(4)
        self.printed = ""

    def run(self):
        """What `./run` prints on standard output."""
        return _shell(f"{RUN} --port {self.port} --data-dir '{self.data_dir}'")

    @property
    def installation(self):
        return load_installation(self.data_dir)

    def supervisor(self):
        return (self.installation.run_dir / "supervisor.pid").read_text()

    def end(self):
        _shell(f"'{sys.executable}' -m longshore.main down --purge --data-dir '{self.data_dir}'")


def _shell(script):
    """What a person's shell prints, in a directory other than the tree's."""
    done = subprocess.run(
        ["bash", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        timeout=RUN_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _sample(printed):
    """The address of the one line that tells it, and all that comes after this line."""
    lines = printed.splitlines()
    (number,) = [at for at, line in enumerate(lines) if line.startswith("sample:")]
    found = re.fullmatch(r"sample: (http://[0-9.]+:[0-9]+/)", lines[number])
    assert found is not None, lines[number]
    return found[1], lines[number + 1 :]


def _told(lines, word):
    """The command that follows this word."""
    (line,) = [line for line in lines if line.startswith(f"{word}:")]
    return line.partition(":")[2].partition("      (")[0].strip()


@pytest.fixture(scope="module")
def place():
    directory = Path(tempfile.mkdtemp(prefix="longshore-run-"))
    made = Place(directory)
    made.printed = made.run()
    yield made
    made.end()
    shutil.rmtree(directory)


def test_run_ends_with_the_address_of_a_page_and_with_how_to_go_on(place):
    address, told = _sample(place.printed)
    assert "gvisor" in fetch(f"{address}cgi-bin/where")
    (setting,) = [line.strip() for line in told if line.strip().startswith("eval ")]
    (listing,) = [line.strip() for line in told if line.strip().startswith("aws ")]
    assert ":cluster/default" in _shell(f"{setting}\n{listing}")
    assert f"{place.installation.endpoint_url}  ready" in _shell(_told(told, "Look"))
    assert "containerd" in _shell(f"{_told(told, 'Examine')} || true")


def test_run_again_goes_on_with_the_same_installation_which_is_stopped_as_told(place):
    before, supervisor = place.installation, place.supervisor()
    address, told = _sample(place.run())
    assert fetch(address)
    assert (place.installation, place.supervisor()) == (before, supervisor)
    (setting,) = [line.strip() for line in told if line.strip().startswith("eval ")]
    counted = "aws ecs describe-services --services longshore-sample --output text"
    wanted = "--query 'services[].[desiredCount,length(deployments)]'"
    assert _shell(f"{setting}\n{counted} {wanted}").split() == ["2", "1"]
    assert _shell(f"{_told(told, 'Stop')} --purge") == "Longshore is down.\n"
    assert not place.data_dir.exists()
    assert traces(before) == []


def test_up_with_a_region_and_an_account_names_everything_after_them():
    with tempfile.TemporaryDirectory(prefix="longshore-region-") as directory:
        longshore = RunningLongshore(
            *(Path(directory) / "data", "--runtime", "simulated"),
            *("--region", REGION, "--account", ACCOUNT),
        )
        try:
            _look_around(longshore)
        finally:
            longshore.end()


def _look_around(longshore):
    names = [zone["ZoneName"] for zone in _answer(longshore, "ec2", "describe_availability_zones")]
    assert names == [f"{REGION}{letter}" for letter in "abc"]
    zones = {subnet["AvailabilityZone"] for subnet in _answer(longshore, "ec2", "describe_subnets")}
    assert zones == set(names)
    assert longshore.client("sts").get_caller_identity()["Account"] == ACCOUNT
    clusters = _answer(longshore, "ecs", "list_clusters")
    assert clusters == [f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/default"]
    repository = longshore.client("ecr").create_repository(repositoryName="web")["repository"]
    assert repository["repositoryArn"] == f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/web"
    assert repository["repositoryUri"].startswith(f"{ACCOUNT}.dkr.ecr.{REGION}.")
    assert longshore.environment()["AWS_REGION"] == REGION
    assert f"account    {ACCOUNT}  region {REGION}" in longshore.command("status").stdout


def _answer(longshore, service, operation):
    """The list that an operation without parameters answers with."""
    answer = getattr(longshore.client(service), operation)()
    return next(value for value in answer.values() if isinstance(value, list))
