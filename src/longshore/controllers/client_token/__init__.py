"""Client tokens of ECS's calls: forgotten when their time is over (`expiry`)."""

from collections.abc import Sequence

from longshore.controllers.client_token.expiry import TokenExpiry
from longshore.controllers.interface import Controller, Surroundings


def client_token_controllers(surroundings: Surroundings) -> Sequence[Controller]:
    """The controllers of client tokens, for the registry."""
    return [TokenExpiry(surroundings)]
