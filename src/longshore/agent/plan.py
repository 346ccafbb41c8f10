"""From a payload's container to a runtime's: pure."""

import shlex
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from longshore.agent.docker import HostConfig, config_of, host_config_of
from longshore.nodeapi import acs
from longshore.runtime.interface import (
    ContainerSpec,
    Device,
    Image,
    Limits,
    Mount,
    RuntimeFailure,
    Ulimit,
)

MIB = 2**20
MINIMUM_SHARES = 2
BYTES_PER_PROCESS = 128 * 2**10
"""What the kernel and the smallest program take for one process, well rounded up."""
FEWEST_PROCESSES = 128
TASK_LABEL = "com.amazonaws.ecs.task-arn"
NAME_LABEL = "com.amazonaws.ecs.container-name"


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What hooks found for one container."""

    container_id: str
    sandbox_id: str
    image: Image
    log_directory: Path
    namespace: Path | None = None
    environment: Mapping[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()


def container_id(task_id: str, name: str) -> str:
    """The container's id in the runtime (and `runtimeId`): the task's, and ten digits."""
    return f"{task_id}-{zlib.crc32(name.encode()):010d}"


def container_spec(
    task: acs.Task, container: acs.Container, surroundings: Surroundings
) -> ContainerSpec:
    """The runtime's spec of a container. Raises `RuntimeFailure` where it has nothing to run."""
    config, host_config = config_of(container), host_config_of(container)
    image = surroundings.image.config
    return ContainerSpec(
        id=surroundings.container_id,
        sandbox_id=surroundings.sandbox_id,
        image=container.image,
        arguments=arguments(container, surroundings.image),
        environment=environment(
            image.environment, {**surroundings.environment, **container.environment}
        ),
        working_directory=config.working_dir or image.working_directory,
        hostname=config.hostname,
        namespace=surroundings.namespace,
        user=config.user or image.user,
        limits=_limits(container, host_config),
        mounts=(*_tmpfs(host_config), *surroundings.mounts),
        ulimits=tuple(
            Ulimit(limit.name, limit.soft, limit.hard) for limit in host_config.ulimits or ()
        ),
        devices=(*_devices(host_config), *surroundings.devices),
        capabilities_add=tuple(host_config.cap_add or ()),
        capabilities_drop=tuple(host_config.cap_drop or ()),
        privileged=host_config.privileged,
        read_only_root=host_config.readonly_rootfs,
        no_new_privileges="no-new-privileges" in " ".join(host_config.security_opt or ()),
        terminal=config.tty,
        interactive=config.open_stdin,
        init=bool(host_config.init),
        shared_memory=host_config.shm_size,
        sysctls=host_config.sysctls or {},
        log_directory=surroundings.log_directory,
        labels=labels(task, container),
    )


def arguments(container: acs.Container, image: Image) -> tuple[str, ...]:
    """Entry point and command: a new entry point forgets the image's command (as Docker does)."""
    command = _overridden(container)
    if container.entry_point is not None:
        found = (*container.entry_point, *command)
    else:
        found = (*image.config.entrypoint, *(command or image.config.command))
    if not found:
        raise RuntimeFailure("CannotCreateContainerError", "no command specified")
    return found


def _overridden(container: acs.Container) -> tuple[str, ...]:
    """The command, or the one of the payload's `overrides`."""
    try:
        overrides = msgspec.json.decode(container.overrides or b"{}", type=dict[str, list[str]])
    except msgspec.DecodeError:
        overrides = {}
    return tuple(overrides.get("command") or container.command)


def environment(image: Iterable[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """`NAME=value`: the image's, with `values` over it."""
    merged = dict(entry.partition("=")[::2] for entry in image)
    merged.update(values)
    return tuple(f"{name}={value}" for name, value in merged.items())


def _limits(container: acs.Container, host_config: HostConfig) -> Limits:
    return Limits(
        cpu_shares=max(container.cpu, MINIMUM_SHARES),
        memory=container.memory * MIB,
        memory_reservation=host_config.memory_reservation,
        swap=host_config.memory_swap or -1,
        pids=max(host_config.pids_limit or 0, 0) or _most_processes(container.memory * MIB),
    )


def _most_processes(memory: int) -> int:
    """So many that one forking without end fails to fork before it runs out of memory: the kernel
    would kill and it would fork, on and on, which slows the whole machine."""
    return max(memory // BYTES_PER_PROCESS, FEWEST_PROCESSES) if memory else 0


def _tmpfs(host_config: HostConfig) -> tuple[Mount, ...]:
    return tuple(
        Mount(target=path, kind="tmpfs", options=tuple(filter(None, options.split(","))))
        for path, options in (host_config.tmpfs or {}).items()
    )


def _devices(host_config: HostConfig) -> tuple[Device, ...]:
    return tuple(
        Device(
            host_path=device.path_on_host,
            container_path=device.path_in_container or device.path_on_host,
            permissions=device.cgroup_permissions or "rwm",
        )
        for device in host_config.devices or ()
    )


def labels(task: acs.Task, container: acs.Container) -> dict[str, str]:
    """The definition's, and those that the Amazon ECS agent adds."""
    return {
        **(config_of(container).labels or {}),
        "com.amazonaws.ecs.cluster": task.task_cluster_arn,
        NAME_LABEL: container.name,
        TASK_LABEL: task.arn,
        "com.amazonaws.ecs.task-definition-family": task.family,
        "com.amazonaws.ecs.task-definition-version": task.version,
    }


def check_command(test: tuple[str, ...]) -> tuple[str, ...]:
    """What a health check runs; empty where there is none ("HealthCheck", ECS API reference)."""
    if not test or test[0] == "NONE":
        return ()
    if test[0] == "CMD-SHELL":
        return ("/bin/sh", "-c", " ".join(test[1:]))
    if test[0] == "CMD":
        return test[1:]
    return ("/bin/sh", "-c", shlex.join(test))
