"""Refuses what this host cannot do, before anything is made."""

import msgspec

from longshore.agent.docker import config_of, host_config_of
from longshore.agent.hooks.interface import HookFailure, Work

VOLUME_TYPES = frozenset({"host", "docker"})
LOG_DRIVERS = frozenset({"", "json-file", "awslogs", "none"})


class Admission:
    """Reads the Docker JSON and the volume types once; nothing to tear down."""

    async def set_up(self, work: Work) -> None:
        """See `interface.Hook`."""
        for volume in work.task.volumes:
            if volume.type not in VOLUME_TYPES:
                raise HookFailure(
                    f"ResourceInitializationError: volumes of type {volume.type} are not offered"
                )
        for container in work.task.containers:
            try:
                config_of(container)
                driver = host_config_of(container).log_config.type
            except msgspec.DecodeError as error:
                raise HookFailure(
                    f"UnrecogniedTaskError: Error loading task - {container.name}: {error}"
                ) from error
            if driver not in LOG_DRIVERS:
                raise HookFailure(
                    "ResourceInitializationError: failed to validate logger args: "
                    f"logger: no log driver named '{driver}' is registered"
                )
            if container.environment_files:
                raise HookFailure(
                    "ResourceInitializationError: failed to download env files: "
                    "this host offers no S3"
                )

    async def tear_down(self, work: Work) -> None:
        """See `interface.Hook`."""
