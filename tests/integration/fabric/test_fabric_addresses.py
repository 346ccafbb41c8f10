"""Secondary addresses of an ENI: what they reach and what reaches them, and when no longer."""

import socket
import subprocess
from pathlib import Path

import msgspec
from integration.fabric.fabric_builder import EVERYWHERE, Builder, tcp
from integration.fabric.fabric_traffic import echo_server, echoes, is_refused, open_socket, reaches

from longshore.fabric import open_fabric
from longshore.fabric.kernel import KernelFabric
from longshore.fabric.names import ENI_DEVICE
from longshore.model.network import Interface, Rule, SecondaryAddress

OPEN = {"sg-open": (Rule(protocol=-1, cidr=EVERYWHERE),)}
FURTHER = "10.0.1.77"


def further(eni: Interface, *addresses: str, public: str = "") -> Interface:
    """The ENI with these secondary addresses; the first with a public one."""
    secondary = tuple(
        SecondaryAddress(address, "" if number else public)
        for number, address in enumerate(addresses)
    )
    return msgspec.structs.replace(eni, secondary=secondary)


def use(namespace: Path, address: str) -> None:
    """Have the ENI's namespace answer at the address, as who uses it sees to it."""
    command = ["ip", "-n", namespace.name, "address", "add", f"{address}/32", "dev", ENI_DEVICE]
    subprocess.run(command, check=True)


def reaches_from(namespace: Path, source: str, address: str, port: int) -> bool:
    with open_socket(namespace) as client:
        client.bind((source, 0))
        client.settimeout(0.5)
        try:
            client.connect((address, port))
            return echoes(client)
        except OSError:
            return False


async def test_secondary_address_leads_to_its_eni_as_far_as_its_groups_allow(
    fabric: KernelFabric, builder: Builder
) -> None:
    eni, other = further(builder.eni(11, "sg-web"), FURTHER), builder.eni(12, "sg-web", subnet=2)
    await fabric.apply(builder.network([eni, other], {"sg-web": (tcp(80, cidr=EVERYWHERE),)}))
    inside, there = await fabric.attach(eni), await fabric.attach(other)
    use(inside, FURTHER)
    with echo_server(inside, FURTHER, 80), echo_server(inside, FURTHER, 81):
        assert reaches(there, FURTHER, 80)
        assert is_refused(there, FURTHER, 81)


async def test_eni_speaks_from_its_own_addresses_and_no_other(
    fabric: KernelFabric, builder: Builder
) -> None:
    eni, other = further(builder.eni(11, "sg-open"), FURTHER), builder.eni(12, "sg-open", subnet=2)
    await fabric.apply(builder.network([eni, other], OPEN))
    inside, there = await fabric.attach(eni), await fabric.attach(other)
    for address in (FURTHER, "10.0.1.78"):
        use(inside, address)
    with echo_server(there, "0.0.0.0", 80) as peers:
        assert reaches_from(inside, FURTHER, other.address, 80)
        assert not reaches_from(inside, "10.0.1.78", other.address, 80)
        assert peers == [FURTHER]


async def test_address_that_is_assigned_and_taken_away_acts_on_a_running_eni(
    fabric: KernelFabric, builder: Builder
) -> None:
    eni, other = builder.eni(11, "sg-open"), builder.eni(12, "sg-open", subnet=2)
    await fabric.apply(builder.network([eni, other], OPEN))
    inside, there = await fabric.attach(eni), await fabric.attach(other)
    use(inside, FURTHER)
    with echo_server(inside, FURTHER, 80):
        assert is_refused(there, FURTHER, 80)
        await fabric.apply(builder.network([further(eni, FURTHER), other], OPEN))
        with socket_to(there, FURTHER) as flow:
            assert echoes(flow)
            await fabric.apply(builder.network([eni, other], OPEN))
            assert not echoes(flow, 0.5)
        assert is_refused(there, FURTHER, 80)


def socket_to(namespace: Path, address: str) -> socket.socket:
    client = open_socket(namespace)
    client.settimeout(3)
    client.connect((address, 80))
    return client


async def test_address_moves_from_one_eni_to_another(
    fabric: KernelFabric, builder: Builder
) -> None:
    one, two = builder.eni(11, "sg-open"), builder.eni(13, "sg-open")
    asker = builder.eni(12, "sg-open", subnet=2)
    await fabric.apply(builder.network([further(one, FURTHER), two, asker], OPEN))
    first, second = await fabric.attach(further(one, FURTHER)), await fabric.attach(two)
    there = await fabric.attach(asker)
    for inside in (first, second):
        use(inside, FURTHER)
    with echo_server(first, FURTHER, 80) as at_first, echo_server(second, FURTHER, 80) as at_second:
        assert reaches(there, FURTHER, 80)
        await fabric.apply(builder.network([one, further(two, FURTHER), asker], OPEN))
        assert reaches(there, FURTHER, 80)
    assert (len(at_first), len(at_second)) == (1, 1)


async def test_public_address_may_stand_for_a_secondary_one(
    fabric: KernelFabric, builder: Builder
) -> None:
    public = builder.eni(77, public=True).public_address
    eni = further(builder.eni(11, "sg-open"), FURTHER, public=public)
    await fabric.apply(builder.network([eni], OPEN))
    inside = await fabric.attach(eni)
    use(inside, FURTHER)
    with echo_server(inside, FURTHER, 80):
        assert reaches(None, public, 80)


async def test_member_of_a_group_is_known_by_all_of_its_addresses(
    fabric: KernelFabric, builder: Builder
) -> None:
    client, server = further(builder.eni(11, "sg-client"), FURTHER), builder.eni(12, "sg-server")
    rules = {"sg-client": (), "sg-server": (tcp(80, group="sg-client"),)}
    network = builder.network([client, server], rules)
    groups = tuple(
        msgspec.structs.replace(each, members=client.addresses) if each.id == "sg-client" else each
        for each in network.groups
    )
    await fabric.apply(msgspec.structs.replace(network, groups=groups))
    inside, there = await fabric.attach(client), await fabric.attach(server)
    use(inside, FURTHER)
    with echo_server(there, "0.0.0.0", 80):
        assert reaches_from(inside, FURTHER, server.address, 80)


async def test_address_taken_away_while_no_agent_ran_leads_nowhere_afterwards(
    fabric: KernelFabric, builder: Builder
) -> None:
    eni, other = builder.eni(11, "sg-open"), builder.eni(12, "sg-open", subnet=2)
    await fabric.apply(builder.network([further(eni, FURTHER), other], OPEN))
    inside, there = await fabric.attach(eni), await fabric.attach(other)
    use(inside, FURTHER)
    later = await open_fabric(builder.installation)
    try:
        with echo_server(inside, FURTHER, 80):
            assert reaches(there, FURTHER, 80)
            await later.apply(builder.network([eni, other], OPEN))
            assert is_refused(there, FURTHER, 80)
    finally:
        await later.close()
