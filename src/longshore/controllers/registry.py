"""Every controller there is; the control plane runs them all."""

from collections.abc import Sequence

from longshore.controllers.auto_scaling import auto_scaling_controllers
from longshore.controllers.client_token import client_token_controllers
from longshore.controllers.interface import Controller, Surroundings
from longshore.controllers.log_retention import LogRetention
from longshore.controllers.secret_deletion import SecretDeletion
from longshore.controllers.service import service_controllers
from longshore.controllers.task import task_controllers
from longshore.controllers.volume import volume_controllers
from longshore.telemetry.interface import LogStore


def controllers(surroundings: Surroundings, log_store: LogStore) -> Sequence[Controller]:
    """The controllers of one control plane."""
    return [
        *auto_scaling_controllers(surroundings),
        *client_token_controllers(surroundings),
        LogRetention(surroundings, log_store),
        SecretDeletion(surroundings),
        *service_controllers(surroundings),
        *task_controllers(surroundings),
        *volume_controllers(surroundings),
    ]
