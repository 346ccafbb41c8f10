"""What telemetry says of tasks: metrics between two messages, and health that is news."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.agent.endpoints.agent_host import make_host
from unit.agent.endpoints.endpoint_records import container, record

from longshore.agent.outbox import Outbox
from longshore.agent.reports import Reports
from longshore.agent.sampling import Sample
from longshore.agent.telemetry.health import health_messages, health_of, news
from longshore.agent.telemetry.metrics import MIB, Meter, metrics_messages
from longshore.fabric.counters import Counters
from longshore.nodeapi import tcs
from longshore.runtime.interface import Statistics
from longshore.testing.clock import FakeClock

METRICS = tcs.MetricsMetadata(cluster="default", message_id="m")
HEALTH = tcs.HealthMetadata(cluster="default", message_id="m")


def sample(at: float, cpu_seconds: float, memory: int = 64, received: int = 0) -> Sample:
    return Sample(
        at=at,
        usage=Statistics(
            cpu_nanoseconds=int(cpu_seconds * 1e9),
            memory_bytes=memory * MIB,
            memory_limit_bytes=0,
            written_bytes=received * 2,
        ),
        networks={"eth0": Counters(rx_bytes=received, tx_bytes=received * 3)},
    )


def metered(*samples: Sample) -> tcs.ContainerMetric:
    """Of samples one after the other."""
    task = record(5)
    meter = Meter()
    for before, after in zip((None, *samples), samples, strict=False):
        meter.observe(task.containers["web"].id, before, after)
    (metric,) = meter.task_metrics([task])
    (found,) = metric.container_metrics
    return found


def test_cpu_is_in_percent_of_a_vcpu_and_memory_in_mib() -> None:
    found = metered(sample(0.0, 0.0, 64), sample(10.0, 5.0, 128), sample(20.0, 20.0, 32))
    assert found.cpu_stats_set == tcs.StatsSet(min=50.0, max=150.0, sum=200.0, sample_count=2)
    assert found.memory_stats_set == tcs.StatsSet(min=32.0, max=128.0, sum=224.0, sample_count=3)


def test_network_and_storage_are_what_went_by_between_samples() -> None:
    found = metered(sample(0.0, 0.0, received=100), sample(10.0, 0.0, received=150))
    assert found.network_stats_set is not None
    assert found.network_stats_set.rx_bytes == tcs.StatsSet(min=50, max=50, sum=50, sample_count=1)
    assert found.network_stats_set.tx_bytes.sum == 150
    assert found.storage_stats_set.write_size_bytes.sum == 100


def test_counters_that_began_anew_do_not_count_backwards() -> None:
    found = metered(sample(0.0, 50.0, received=100), sample(10.0, 1.0, received=200))
    assert found.cpu_stats_set is None
    assert found.network_stats_set.rx_bytes.sum == 100


def test_what_was_told_once_is_not_told_again() -> None:
    task = record(5)
    meter = Meter()
    meter.observe(task.containers["web"].id, None, sample(0.0, 0.0))
    assert len(meter.task_metrics([task])) == 1
    assert meter.task_metrics([task]) == []


def test_restarts_are_counted_from_one_message_to_the_next() -> None:
    task = record(5)
    web = task.containers["web"]
    meter = Meter()
    counts = []
    for restarts in (1, 1, 4):
        web.restarts = restarts
        meter.observe(web.id, None, sample(0.0, 0.0))
        (metric,) = meter.task_metrics([task])
        counts.append(metric.container_metrics[0].restart_stats_set.restart_count)
    assert counts == [0, 0, 3]


@given(st.integers(0, 45))
def test_messages_carry_at_most_ten_tasks_and_only_the_last_says_so(count: int) -> None:
    metrics = [tcs.TaskMetric(task_arn=str(number)) for number in range(count)]
    messages = metrics_messages(metrics, METRICS, 1.0)
    assert [metric for message in messages for metric in message.task_metrics] == metrics
    assert all(len(message.task_metrics) <= 10 for message in messages)
    assert [message.metadata.fin for message in messages] == [False] * (len(messages) - 1) + [True]
    assert all(message.metadata.idle == (count == 0) for message in messages)


@given(st.integers(0, 45))
def test_health_of_many_tasks_goes_out_ten_at_a_time(count: int) -> None:
    healths = [tcs.TaskHealth(task_arn=str(number)) for number in range(count)]
    messages = health_messages(healths, HEALTH, 1.0)
    assert [health for message in messages for health in message.tasks] == healths
    assert [message.metadata.fin for message in messages[-1:]] == [True] * bool(count)


def test_health_is_told_of_containers_with_checks_only() -> None:
    checked, unchecked = container("web"), container("side", health_check_type="")
    found = health_of([record(5, containers=(checked, unchecked))])
    (health,) = found.values()
    assert [each.container_name for each in health.containers] == ["web"]
    assert health_of([record(5, containers=(unchecked,))]) == {}


@pytest.mark.parametrize("changed", [True, False])
def test_only_what_differs_is_news(changed: bool) -> None:
    tasks = [record(5), record(6)]
    said = health_of(tasks)
    if changed:
        tasks[1].containers["web"].health = "UNHEALTHY"
    assert [each.task_arn for each in news(said, health_of(tasks))] == (
        [tasks[1].task.arn] if changed else []
    )


async def test_a_change_of_health_wakes_who_tells_of_it(tmp_path: Path) -> None:
    host = make_host(tmp_path, FakeClock())
    reports = Reports(host, Outbox(host.home / "outbox"))
    task = record(5)
    web = task.containers["web"]
    waiting = asyncio.create_task(reports.changes.until(lambda: web.health == "UNHEALTHY"))
    reports.containers(task)
    await asyncio.wait({waiting}, timeout=0)
    assert not waiting.done()
    web.health = "UNHEALTHY"
    reports.containers(task)
    await asyncio.wait_for(waiting, 5)
