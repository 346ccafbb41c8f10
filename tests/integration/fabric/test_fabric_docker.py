"""Beside Docker, whose chains are made here in a namespace of their own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.base.installation import Installation
from longshore.fabric import docker, namespaces
from longshore.fabric.names import NETNS_DIR
from longshore.fabric.nftables import list_rules, run_transaction

CHAIN = ("ip", "filter", "DOCKER-USER")


@pytest.fixture
def elsewhere(installation: Installation) -> Iterator[Path]:
    path = NETNS_DIR / f"docker{installation.id}"
    namespaces.create(path)
    yield path
    namespaces.remove(path)


def beside_docker(path: Path, installation: Installation) -> None:
    with namespaces.within(path):
        docker.let_through(installation)
        assert list_rules(*CHAIN) is None
        run_transaction(
            [
                {"add": {"table": {"family": "ip", "name": "filter"}}},
                {"add": {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER"}}},
                {
                    "add": {
                        "rule": {
                            "family": "ip",
                            "table": "filter",
                            "chain": "DOCKER-USER",
                            "expr": [{"return": None}],
                        }
                    }
                },
            ]
        )
        for _ in range(2):
            docker.let_through(installation)
        before_return = [rule["expr"][-1] for rule in list_rules(*CHAIN) or ()]
        assert before_return == [{"accept": None}, {"accept": None}, {"return": None}]
        docker.remove_rules(installation)
        assert len(list_rules(*CHAIN) or ()) == 1


async def test_docker_is_asked_once_to_let_packets_through_and_is_left_as_it_was(
    elsewhere: Path, installation: Installation
) -> None:
    await asyncio.to_thread(beside_docker, elsewhere, installation)
