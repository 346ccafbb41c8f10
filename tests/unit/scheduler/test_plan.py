"""Placement: what fits goes somewhere, nothing goes where it does not fit."""

import time

from hypothesis import given
from hypothesis import strategies as st

from longshore.scheduler.columns import Columns, Row
from longshore.scheduler.demand import Demand
from longshore.scheduler.plan import plan

rows = st.lists(
    st.builds(
        Row,
        arn=st.just(""),
        cpu=st.integers(0, 4096),
        memory=st.integers(0, 8192),
        connected=st.booleans(),
        zones=st.sampled_from([("a",), ("b",), ("a", "b")]),
        tcp_ports=st.frozensets(st.sampled_from([80, 443]), max_size=2),
        attributes=st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2"])),
    ),
    max_size=8,
)
demands = st.builds(
    Demand,
    cpu=st.integers(0, 2048),
    memory=st.integers(1, 4096),
    tcp_ports=st.sampled_from([(), (80,), (80, 443)]),
    attributes=st.sampled_from([(), ("x",)]),
    zone=st.sampled_from(["", "a"]),
    constraints=st.sampled_from(
        [(), ({"type": "distinctInstance"},), ({"type": "memberOf", "expression": "x == 1"},)]
    ),
    group=st.just("g"),
)
strategies = st.sampled_from(
    [
        (),
        ({"type": "random"},),
        ({"type": "spread", "field": "instanceId"},),
        ({"type": "spread", "field": "attribute:x"}, {"type": "binpack", "field": "memory"}),
    ]
)


def _named(found: list[Row]) -> list[Row]:
    return [
        Row(
            arn=f"i{number}",
            cpu=row.cpu,
            memory=row.memory,
            connected=row.connected,
            zones=row.zones,
            tcp_ports=row.tcp_ports,
            attributes=row.attributes,
        )
        for number, row in enumerate(found)
    ]


@given(rows, demands, st.integers(0, 12), strategies)
def test_no_instance_is_given_more_than_it_has(found, demand, count, chosen):
    named = _named(found)
    result = plan(Columns(named), demand, count, chosen, lambda below: below - 1)
    assert len(result.instances) <= count
    for row in named:
        tasks = result.instances.count(row.arn)
        if not tasks:
            continue
        assert row.connected
        assert tasks * demand.cpu <= row.cpu
        assert tasks * demand.memory <= row.memory
        assert not demand.tcp_ports or tasks == 1
        assert not set(demand.tcp_ports) & row.tcp_ports
        assert all(name in row.attributes for name in demand.attributes)
        assert not demand.zone or demand.zone in row.zones
        if {"type": "distinctInstance"} in demand.constraints:
            assert tasks == 1


@given(rows, demands, st.integers(1, 12), strategies)
def test_every_instance_that_refused_has_a_reason(found, demand, count, chosen):
    named = _named(found)
    result = plan(Columns(named), demand, count, chosen, lambda below: 0)
    if len(result.instances) < count:
        assert [failure.arn for failure in result.failures] == [row.arn for row in named]
        assert all(failure.reason for failure in result.failures)


def test_spread_over_zones_is_even():
    named = [
        Row(arn=f"i{n}", cpu=4096, memory=8192, attributes={"zone": "abc"[n % 3]}) for n in range(9)
    ]
    spread = ({"type": "spread", "field": "attribute:zone"},)
    result = plan(Columns(named), Demand(cpu=1, memory=1, group="g"), 6, spread, lambda n: 0)
    zones = ["abc"[int(arn[1:]) % 3] for arn in result.instances]
    assert sorted(zones) == ["a", "a", "b", "b", "c", "c"]


def test_binpack_fills_the_fullest_first():
    named = [Row(arn="empty", cpu=9, memory=900), Row(arn="fuller", cpu=9, memory=300)]
    pack = ({"type": "binpack", "field": "memory"},)
    result = plan(Columns(named), Demand(memory=100, group="g"), 4, pack, lambda n: 0)
    assert result.instances == ("fuller", "fuller", "fuller", "empty")


def test_ten_thousand_instances_take_a_thousand_tasks_in_seconds():
    named = [
        Row(arn=f"i{n}", cpu=4096, memory=8192, attributes={"zone": "abc"[n % 3]})
        for n in range(10_000)
    ]
    columns = Columns(named)
    started = time.monotonic()
    pack = ({"type": "spread", "field": "instanceId"}, {"type": "binpack", "field": "cpu"})
    result = plan(columns, Demand(cpu=256, memory=512, group="g"), 1000, pack, lambda n: 0)
    assert len(result.instances) == 1000
    assert time.monotonic() - started < 5
