"""A task that has ENIs of two VPCs: the network hook, killed and come back, over a real fabric."""

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from integration.fabric.fabric_builder import EVERYWHERE, Builder, joined, make_installation, traces
from integration.fabric.fabric_traffic import echo_server, reaches
from unit.agent.endpoints.agent_host import make_host
from unit.agent.endpoints.endpoint_records import eni, record

from longshore.agent.hooks.interface import Work
from longshore.agent.hooks.network import NetworkPlace
from longshore.base.clock import SystemClock
from longshore.base.installation import Installation
from longshore.fabric import open_fabric
from longshore.fabric.kernel import KernelFabric
from longshore.fabric.names import namespace_path
from longshore.model.network import Interface, Network, Rule


class Killed(Exception):
    """In the place of SIGKILL."""


OPEN = {"sg-open": (Rule(protocol=-1, cidr=EVERYWHERE),)}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    return make_installation(tmp_path)


@pytest.fixture
def network(installation: Installation) -> Network:
    """The task's own ENI, two beside it in another VPC, and a neighbour of those."""
    own, user = Builder(installation), Builder(installation, "vpc-2")
    theirs = [user.eni(6, "sg-open"), user.eni(7, "sg-open", subnet=2), user.eni(8, "sg-open")]
    return joined(own.network([own.eni(5, "sg-open")], OPEN), user.network(theirs, {}))


@pytest.fixture
async def work(
    installation: Installation, network: Network
) -> AsyncIterator[Callable[[], Awaitable[Work]]]:
    """Gives the task to an agent that has just come up; the one before is dead."""
    opened: list[KernelFabric] = []

    async def begin() -> Work:
        if opened:
            await opened[-1].close()
        opened.append(await open_fabric(installation))
        await opened[-1].apply(network)
        host = make_host(installation.data_dir, SystemClock())
        host = replace(host, installation=installation, fabric=opened[-1])
        others = tuple(msgspec.structs.replace(eni(n), ec2_id=f"eni-2{n}") for n in (6, 7))
        task = record(5, elastic_network_interfaces=(eni(5), *others))
        return Work(host=host, record=task, save=lambda: None)

    yield begin
    await opened[-1].destroy()
    await opened[-1].close()
    assert traces(installation) == []


async def works(work: Work, network: Network, inside: Path) -> bool:
    """Whether the neighbour in the other VPC and the task reach each other."""
    assert work.host.fabric is not None
    *_, first, second, neighbour = network.interfaces
    there = await work.host.fabric.attach(neighbour)
    with echo_server(inside, "0.0.0.0", 443), echo_server(there, "0.0.0.0", 10250):
        return (
            reaches(there, first.address, 443)
            and reaches(there, second.address, 443)
            and reaches(inside, neighbour.address, 10250)
        )


async def test_task_is_in_both_vpcs_and_leaves_both(
    work: Callable[[], Awaitable[Work]], network: Network
) -> None:
    task, hook = await work(), NetworkPlace()
    await hook.set_up(task)
    assert task.namespace is not None
    assert await works(task, network, task.namespace)
    await hook.tear_down(task)
    await hook.tear_down(task)
    assert isinstance(task.host.fabric, KernelFabric)
    assert await task.host.fabric.attached() == {network.interfaces[-1].id}


@pytest.mark.parametrize("done", [0, 1, 2, 3])
async def test_agent_killed_between_two_enis_has_all_when_it_is_back(
    work: Callable[[], Awaitable[Work]],
    network: Network,
    done: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`done` of them had been attached."""
    first, hook = await work(), NetworkPlace()
    left = list(network.interfaces[:done])

    async def announced(_: Work, interface_id: str) -> Interface:
        if not left:
            raise Killed
        assert left[0].id == interface_id
        return left.pop(0)

    with monkeypatch.context() as patch:
        patch.setattr("longshore.agent.hooks.network._announced", announced)
        with contextlib.suppress(Killed):
            await hook.set_up(first)
    second = await work()
    await hook.set_up(second)
    assert second.namespace == namespace_path(second.host.installation.id, "eni-15")
    assert await works(second, network, second.namespace)


async def test_running_task_keeps_its_connections_while_the_agent_is_away(
    work: Callable[[], Awaitable[Work]], network: Network
) -> None:
    first, hook = await work(), NetworkPlace()
    await hook.set_up(first)
    inside = first.namespace
    assert inside is not None
    second = await work()
    assert await works(second, network, inside)
    await hook.tear_down(second)
    assert not inside.exists()


async def test_task_that_ends_takes_nothing_from_the_one_that_came_after_it(
    work: Callable[[], Awaitable[Work]], installation: Installation, network: Network
) -> None:
    """As where a control plane is rolled over: the next task comes while the last one goes."""
    ending, hook = await work(), NetworkPlace()
    await hook.set_up(ending)
    fabric = ending.host.fabric
    assert fabric is not None
    own = Builder(installation)
    both = own.network([own.eni(5, "sg-open"), own.eni(4, "sg-open")], OPEN)
    await fabric.apply(joined(both, _without_first(network)))
    task = ending.task
    others = task.elastic_network_interfaces[1:]
    after = record(4, elastic_network_interfaces=(eni(4), *others))
    coming = Work(host=ending.host, record=after, save=lambda: None)
    await hook.set_up(coming)
    await hook.tear_down(ending)
    assert coming.namespace is not None
    assert await works(coming, network, coming.namespace)
    await hook.tear_down(coming)


def _without_first(network: Network) -> Network:
    """What of the network is the other VPC's."""
    theirs = [each for each in network.interfaces if each.vpc_id == network.interfaces[-1].vpc_id]
    vpcs = [vpc for vpc in network.vpcs if vpc.id == theirs[0].vpc_id]
    return msgspec.structs.replace(network, interfaces=tuple(theirs), vpcs=tuple(vpcs))
