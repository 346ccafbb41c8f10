"""Services: keeps their tasks running, and rolls deployments out (`deployment`)."""

from collections.abc import Sequence

from longshore.controllers.interface import Controller, Surroundings
from longshore.controllers.service.deployment import ServiceDeployment


def service_controllers(surroundings: Surroundings) -> Sequence[Controller]:
    """The controllers of services, for the registry."""
    return [ServiceDeployment(surroundings)]
