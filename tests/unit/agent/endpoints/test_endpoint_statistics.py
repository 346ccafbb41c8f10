"""Docker's statistics of samples, and samples themselves."""

import asyncio
from pathlib import Path

from unit.agent.endpoints.agent_host import make_host, start
from unit.agent.endpoints.endpoint_records import record

from longshore.agent.endpoints.docker_stats import docker_stats
from longshore.agent.sampling import Sample, Sampler, system_nanoseconds
from longshore.fabric.counters import Counters, parse_counters
from longshore.runtime.interface import Statistics
from longshore.testing.clock import FakeClock
from longshore.testing.wait import eventually

# Keys of "Example task stats response" of version 4 that a Linux kernel can fill in.
DOCUMENTED = {
    "read",
    "preread",
    "pids_stats",
    "blkio_stats",
    "num_procs",
    "storage_stats",
    "cpu_stats",
    "precpu_stats",
    "memory_stats",
    "name",
    "id",
    "networks",
    "network_rate_stats",
}


def sample(at: float, used: int, received: int) -> Sample:
    return Sample(
        at=at,
        usage=Statistics(
            cpu_nanoseconds=used,
            memory_bytes=1024,
            memory_limit_bytes=4096,
            written_bytes=10,
            pids=3,
        ),
        system_nanoseconds=used * 10,
        networks={"eth0": Counters(rx_bytes=received, tx_bytes=2 * received)},
    )


def test_statistics_have_dockers_members_and_the_rates_of_version_4() -> None:
    found = docker_stats("id", "web", sample(100.0, 1000, 50), sample(110.0, 3000, 150))
    assert set(found) == DOCUMENTED
    assert found["cpu_stats"]["cpu_usage"]["total_usage"] == 3000
    assert found["precpu_stats"]["system_cpu_usage"] == 10_000
    assert found["memory_stats"] == {"usage": 1024, "limit": 4096}
    assert found["networks"]["eth0"]["rx_bytes"] == 150
    assert found["network_rate_stats"] == {"rx_bytes_per_sec": 10.0, "tx_bytes_per_sec": 20.0}
    operations = found["blkio_stats"]["io_service_bytes_recursive"]
    assert {each["op"]: each["value"] for each in operations}["Write"] == 10


def test_the_first_statistics_have_nothing_before_them() -> None:
    found = docker_stats("id", "web", None, sample(100.0, 1000, 50))
    assert found["preread"] == "0001-01-01T00:00:00Z"
    assert found["precpu_stats"] == {}
    assert "network_rate_stats" not in found


def test_the_hosts_cpu_time_leaves_out_what_is_counted_twice() -> None:
    assert system_nanoseconds("cpu  1 2 3 4 5 6 7 8 100 100\ncpu0 9\n") == 36 * 10_000_000


def test_counters_come_from_every_interface_but_loopback() -> None:
    text = (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n"
        "    lo:     100       1    0    0    0     0          0         0      100       1"
        "    0    0    0     0       0          0\n"
        "  eth0:    2000      20    1    2    0     0          0         0      300       3"
        "    4    5    0     0       0          0\n"
    )
    assert parse_counters(text) == {
        "eth0": Counters(
            rx_bytes=2000,
            rx_packets=20,
            rx_errors=1,
            rx_dropped=2,
            tx_bytes=300,
            tx_packets=3,
            tx_errors=4,
            tx_dropped=5,
        )
    }


async def test_the_first_to_ask_waits_a_second_for_two_samples_and_the_next_does_not(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    host = make_host(tmp_path, clock)
    task = record(5)
    running = task.containers["web"]
    await start(host, task)
    sampler = Sampler(host)
    asking = asyncio.create_task(sampler.pair(task, running))

    async def done() -> bool:
        clock.advance(0.25)
        return asking.done()

    assert await eventually(done)
    first = asking.result()
    assert first is not None
    before, after = first
    assert before is not None
    assert after.at - before.at >= 1.0
    assert await sampler.pair(task, running) == first


async def test_asking_without_pause_takes_no_more_than_one_sample_a_second(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    host = make_host(tmp_path, clock)
    task = record(5)
    running = task.containers["web"]
    await start(host, task)
    sampler = Sampler(host)
    found = await asyncio.gather(*(sampler.latest(task, running) for _ in range(50)))
    assert all(each is found[0] for each in found)


async def test_nothing_is_told_of_a_container_that_does_not_run(tmp_path: Path) -> None:
    task = record(5)
    assert (
        await Sampler(make_host(tmp_path, FakeClock())).latest(task, task.containers["web"]) is None
    )
