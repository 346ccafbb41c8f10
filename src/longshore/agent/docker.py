"""The Docker JSON that a payload's containers carry (`dockerConfig`): Docker Engine API v1.32."""

from collections.abc import Mapping

import msgspec

from longshore.nodeapi import acs

NANOSECOND = 1e-9


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Times in nanoseconds; 0 stands for Docker's defaults."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    retries: int = 0
    start_period: int = 0


class Config(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    user: str = ""
    working_dir: str = ""
    hostname: str = ""
    domainname: str = ""
    labels: Mapping[str, str] | None = None
    healthcheck: Healthcheck | None = None
    tty: bool = False
    open_stdin: bool = False
    network_disabled: bool = False
    stop_signal: str = ""


class Ulimit(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    name: str = ""
    soft: int = 0
    hard: int = 0


class Device(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


class LogConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    type: str = ""
    config: Mapping[str, str] | None = None


class HostConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Memory sizes in bytes."""

    network_mode: str = ""
    privileged: bool = False
    cap_add: tuple[str, ...] | None = None
    cap_drop: tuple[str, ...] | None = None
    ulimits: tuple[Ulimit, ...] | None = None
    log_config: LogConfig = LogConfig()
    memory_reservation: int = 0
    memory_swap: int = 0
    pids_limit: int | None = 0
    init: bool | None = False
    shm_size: int = 0
    tmpfs: Mapping[str, str] | None = None
    devices: tuple[Device, ...] | None = None
    sysctls: Mapping[str, str] | None = None
    dns: tuple[str, ...] | None = None
    dns_search: tuple[str, ...] | None = None
    extra_hosts: tuple[str, ...] | None = None
    readonly_rootfs: bool = False
    security_opt: tuple[str, ...] | None = None


def config_of(container: acs.Container) -> Config:
    """`dockerConfig.config`, or what stands for none. Raises `msgspec.DecodeError`."""
    return msgspec.json.decode(container.docker_config.config or b"{}", type=Config)


def host_config_of(container: acs.Container) -> HostConfig:
    """`dockerConfig.hostConfig`, or what stands for none. Raises `msgspec.DecodeError`."""
    return msgspec.json.decode(container.docker_config.host_config or b"{}", type=HostConfig)
