"""Who may ask about which task."""

from hypothesis import given
from hypothesis import strategies as st
from unit.agent.endpoints.endpoint_records import record

from longshore.agent.endpoints.callers import (
    Caller,
    Places,
    container_by_id,
    task_by_credentials,
    tasks_of,
)
from longshore.model.network import Interface, Network

ADDRESSES = st.sampled_from(["10.0.1.5", "10.0.1.6", "10.0.1.7", "127.0.0.1", "172.28.0.2"])


def interface(number: int, vpc: str = "vpc-1") -> Interface:
    return Interface(
        id=f"eni-1{number}",
        vpc_id=vpc,
        subnet_id="subnet-1",
        mac="02:00:00:00:01:05",
        address=f"10.0.1.{number}",
        prefix_length=24,
        gateway="10.0.1.1",
    )


NETWORK = Network(interfaces=(interface(5), interface(6)))
PLACES = Places(NETWORK, {record(7).containers["web"].id: "172.28.0.2"})
RECORDS = [
    record(5),
    record(6),
    record(7, mode="bridge"),
    record(8, mode="host"),
    record(9, mode="none"),
]


def who(address: str, vpc_id: str = "") -> list[str]:
    return [task.id[-1] for task in tasks_of(Caller(address, vpc_id), RECORDS, PLACES)]


def test_an_eni_of_a_vpc_speaks_for_its_own_task() -> None:
    assert who("10.0.1.5", "vpc-1") == ["5"]
    assert who("10.0.1.6", "vpc-1") == ["6"]


def test_the_same_address_in_another_vpc_speaks_for_nobody() -> None:
    assert who("10.0.1.5", "vpc-2") == []


def test_an_address_without_a_task_speaks_for_nobody() -> None:
    assert who("10.0.1.9", "vpc-1") == []


def test_on_the_loopback_the_bridge_address_tells_the_task() -> None:
    assert who("172.28.0.2") == ["7"]
    assert who("172.28.0.3") == []


def test_the_host_speaks_for_tasks_in_its_own_network_only() -> None:
    assert who("127.0.0.1") == ["8"]


def test_a_vpcs_address_on_the_loopback_speaks_for_nobody() -> None:
    assert who("10.0.1.5") == []


@given(ADDRESSES, st.sampled_from(["", "vpc-1", "vpc-2"]))
def test_two_callers_never_share_a_task(address: str, vpc_id: str) -> None:
    mine = set(who(address, vpc_id))
    for other, other_vpc in (("10.0.1.5", "vpc-1"), ("127.0.0.1", ""), ("172.28.0.2", "")):
        if (other, other_vpc) != (address, vpc_id):
            assert not mine & set(who(other, other_vpc))


def test_credentials_are_found_by_the_whole_id_of_the_tasks_role() -> None:
    found = task_by_credentials(RECORDS, "credentials-5")
    assert found is not None
    assert found.id == RECORDS[0].id
    for wrong in ("credentials-", "credentials-55", "", "CREDENTIALS-5", "credentials-é"):
        assert task_by_credentials(RECORDS, wrong) is None


def test_the_execution_roles_credentials_are_for_no_container() -> None:
    assert task_by_credentials(RECORDS, "execution-5") is None


def test_a_container_is_found_by_its_whole_id() -> None:
    known = RECORDS[0].containers["web"]
    found = container_by_id(RECORDS, known.id)
    assert found is not None
    assert found[1] is known
    assert container_by_id(RECORDS, known.id[:-1]) is None
    assert container_by_id(RECORDS, RECORDS[0].id) is None
