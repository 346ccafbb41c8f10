import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.node.node_instance import Instance, Pod


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    played = Instance(tmp_path)
    try:
        played.set_up()
        with played.answering():
            yield played
    finally:
        played.tear_down()


@pytest.fixture
def pod(instance: Instance) -> Iterator[Callable[[], Pod]]:
    pods: list[Pod] = []

    def make() -> Pod:
        pods.append(Pod(instance, f"container-{len(pods)}"))
        return pods[-1]

    yield make
    for each in pods:
        each.remove()
