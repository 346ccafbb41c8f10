"""Samples, put together into what PublishMetricsRequest carries: pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from longshore.agent.endpoints.docker_stats import total_bytes
from longshore.agent.records import ContainerRecord, TaskRecord
from longshore.agent.sampling import NANOSECONDS, Sample
from longshore.nodeapi import tcs

MIB = 2**20
TASKS_A_MESSAGE = 10


class Series:
    """Values of one quantity since it was last told."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def add(self, value: float) -> None:
        self._values.append(value)

    def stats_set(self) -> tcs.StatsSet | None:
        """None where there was no value."""
        if not self._values:
            return None
        return tcs.StatsSet(
            min=min(self._values),
            max=max(self._values),
            sum=sum(self._values),
            sample_count=len(self._values),
        )


class Meter:
    """Gathers samples between two messages.

    CPU is in percent of a vCPU and memory in MiB, at each sample; network and storage in bytes from
    one sample to the next. Under gVisor the kernel counts a task's containers together.
    """

    def __init__(self) -> None:
        self._series: defaultdict[tuple[str, str], Series] = defaultdict(Series)
        self._restarts: dict[str, int] = {}

    def observe(self, container_id: str, before: Sample | None, sample: Sample) -> None:
        """Take a sample in; `before` is the one before it."""
        self._series[container_id, "memory"].add(sample.usage.memory_bytes / MIB)
        if before is None or not before.at < sample.at:
            return
        for name, grown in _growth(before, sample):
            # Counters start again with a container that was restarted.
            if grown >= 0:
                self._series[container_id, name].add(grown)

    def task_metrics(self, records: Iterable[TaskRecord]) -> list[tcs.TaskMetric]:
        """What was gathered of these tasks; from here on it is gathered anew."""
        found = []
        for record in records:
            metrics = tuple(self._container(each) for each in record.containers.values())
            found.append(
                tcs.TaskMetric(
                    task_arn=record.task.arn,
                    task_definition_family=record.task.family,
                    task_definition_version=record.task.version,
                    container_metrics=tuple(each for each in metrics if each is not None),
                )
            )
        self._series.clear()
        return [metric for metric in found if metric.container_metrics]

    def _container(self, container: ContainerRecord) -> tcs.ContainerMetric | None:
        if (container.id, "memory") not in self._series:
            return None
        told = self._restarts.get(container.id, container.restarts)
        self._restarts[container.id] = container.restarts
        return tcs.ContainerMetric(
            container_name=container.name,
            cpu_stats_set=self._stats_set(container, "cpu"),
            memory_stats_set=self._stats_set(container, "memory"),
            network_stats_set=tcs.NetworkStatsSet(
                rx_bytes=self._stats_set(container, "received"),
                tx_bytes=self._stats_set(container, "sent"),
            ),
            storage_stats_set=tcs.StorageStatsSet(
                read_size_bytes=self._stats_set(container, "read"),
                write_size_bytes=self._stats_set(container, "written"),
            ),
            restart_stats_set=tcs.RestartStatsSet(restart_count=container.restarts - told),
        )

    def _stats_set(self, container: ContainerRecord, name: str) -> tcs.StatsSet | None:
        series = self._series.get((container.id, name))
        return series.stats_set() if series is not None else None

    def keep_only(self, container_ids: set[str]) -> None:
        """Forget the others."""
        for gone in self._restarts.keys() - container_ids:
            del self._restarts[gone]


def _growth(before: Sample, sample: Sample) -> Iterable[tuple[str, float]]:
    used = sample.usage.cpu_nanoseconds - before.usage.cpu_nanoseconds
    yield "cpu", 100 * used / ((sample.at - before.at) * NANOSECONDS)
    yield "read", sample.usage.read_bytes - before.usage.read_bytes
    yield "written", sample.usage.written_bytes - before.usage.written_bytes
    if sample.networks and before.networks:
        received, sent = total_bytes(sample.networks)
        received_before, sent_before = total_bytes(before.networks)
        yield "received", received - received_before
        yield "sent", sent - sent_before


def metrics_messages(
    metrics: Sequence[tcs.TaskMetric], metadata: tcs.MetricsMetadata, now: float
) -> list[tcs.PublishMetricsRequest]:
    """Messages of at most ten tasks; the last one says that it is. One also where nothing runs."""
    parts = [metrics[i : i + TASKS_A_MESSAGE] for i in range(0, len(metrics), TASKS_A_MESSAGE)]
    parts = parts or [()]
    return [
        tcs.PublishMetricsRequest(
            metadata=tcs.MetricsMetadata(
                cluster=metadata.cluster,
                container_instance=metadata.container_instance,
                message_id=metadata.message_id,
                idle=not metrics,
                fin=number == len(parts),
            ),
            task_metrics=tuple(part),
            timestamp=now,
        )
        for number, part in enumerate(parts, start=1)
    ]
