"""What sessions ask of IAM: `services.interface.Identity` has it, rooms of one layer stay apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec import structs

from longshore.base.clock import Clock, rfc_3339
from longshore.model.ecs import Task
from longshore.model.iam import Role
from longshore.model.principal import Credential, Principal
from longshore.nodeapi import acs
from longshore.nodeapi.own import InstanceRole
from longshore.store.interface import Reader

CREDENTIAL_SECONDS = 6 * 3600.0
"""Lifetime of what tasks are given ("Task IAM role": rotated every few hours)."""


class Identity(Protocol):
    """Who may poll for an instance, and credentials for roles."""

    def authorize(
        self,
        reader: Reader,
        principal: Principal,
        action: str,
        resource: Any,
        conditions: Mapping[str, str | list[str]],
        resource_policy: str | None,
    ) -> None: ...

    def issue(
        self, reader: Reader, role_arn: str, session_name: str, seconds: float, now: float
    ) -> Credential: ...


@dataclass(frozen=True, slots=True)
class Polled:
    """The container instance as a resource of `ecs:Poll`."""

    arn: str
    conditions: Mapping[str, str | list[str]] = field(default_factory=dict)


class Credentials:
    """Roles' credentials as agents are given them."""

    def __init__(self, identity: Identity, clock: Clock) -> None:
        self._identity = identity
        self._clock = clock

    def of(
        self, reader: Reader, task: Task, account: str, role: str, credentials_id: str
    ) -> acs.RoleCredentials | None:
        """Fresh credentials of the role; None where the task has none. Raises `AwsError`."""
        if not role:
            return None
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{account}:role/{role}"
        issued = self._issue(reader, arn, task.id)
        return acs.RoleCredentials(
            credentials_id=credentials_id,
            role_arn=arn,
            access_key_id=issued.access_key_id,
            secret_access_key=issued.secret_access_key,
            session_token=issued.session_token,
            expiration=_expiration(issued),
        )

    def of_session(self, reader: Reader, session_name: str, role: Role) -> InstanceRole:
        """Fresh credentials of an instance, as its metadata have them. Raises `AwsError`."""
        issued = self._issue(reader, role.arn, session_name)
        return InstanceRole(
            name=role.name,
            access_key_id=issued.access_key_id,
            secret_access_key=issued.secret_access_key,
            session_token=issued.session_token,
            expiration=_expiration(issued),
        )

    def _issue(self, reader: Reader, role_arn: str, session_name: str) -> Credential:
        now = self._clock.now()
        issued = self._identity.issue(reader, role_arn, session_name, CREDENTIAL_SECONDS, now)
        if issued.expires is None:
            return structs.replace(issued, expires=now + CREDENTIAL_SECONDS)
        return issued


def _expiration(issued: Credential) -> str:
    return rfc_3339(issued.expires or 0)
