"""Amazon ECS: clusters, task definitions, tasks, services, container instances, agents' calls.

Enters: requests. Leaves: records of `model.ecs`; what runs is the controllers' and agents' doing.
"""

from longshore.services.ecs.operations import service

__all__ = ["service"]
