"""What a service offers to the gateway.

An operation is a function `(context, request) -> response`. `request` is the input shape as plain
values (dict, list, str, int, float, bool, bytes; timestamps as float epoch seconds), typed with
types-boto3's request TypedDict; the response is a mapping shaped like the output shape (timestamps
as datetime or float epoch seconds; None values and unknown members are refused by tests).
It is synchronous, reads and stages writes through `context.tx`, and may run again after a
conflict: whatever it does besides must be repeatable. An operation that must wait (bytes, files,
another process) is listed under `waiting`: an async function that gets `context.store` and
transacts itself.

The gateway decides, before the call, whether the caller may: the IAM action is
`<iam_prefix>:<Operation>` (or what `actions` says), the resources are those that `resources` gives
(`*` where it gives none), and each must be allowed. `context.authorize` asks for more, such as
`iam:PassRole`.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from longshore.base.clock import Clock
from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.model.principal import Credential, Principal
from longshore.store.interface import Reader, Store, Transaction

Response = Mapping[str, Any]


class Authorize(Protocol):
    """Raises the service's access-denied `AwsError` unless the caller may."""

    def __call__(
        self, action: str, resource: str, conditions: Mapping[str, str | list[str]] | None = None
    ) -> None: ...


@dataclass(slots=True, kw_only=True)
class Context:
    """One call: who, where, when, and the transaction it reads and writes through."""

    service: str
    operation: str
    account: str
    region: str
    principal: Principal
    request_id: str
    source_ip: str
    now: float
    """Epoch seconds."""
    ids: Ids
    clock: Clock
    installation: Installation
    store: Store
    tx: Transaction
    authorize: Authorize


Operation = Callable[[Context, Any], Response]
WaitingOperation = Callable[[Context, Any], Awaitable[Response]]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One resource of a call: its ARN, and what the service adds to the condition keys for it.

    `conditions` maps keys such as `ecs:cluster` or `aws:ResourceTag/stage` to values.
    """

    arn: str
    conditions: Mapping[str, str | list[str]] = msgspec.field(default_factory=dict)


ResourcesOf = Callable[[Context, Any], Iterable[Resource]]
"""The resources of one call, from its request and the records that it names."""


def no_resource_policy(reader: Reader, arn: str) -> str | None:
    """For services whose resources have no policies of their own."""
    return None


@dataclass(frozen=True, kw_only=True)
class Service:
    """One AWS service: botocore's name of it (`ecs`), its operations, and its authorisation."""

    name: str
    iam_prefix: str
    operations: Mapping[str, Operation]
    waiting: Mapping[str, WaitingOperation] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)
    """IAM actions by operation, where it is not `<iam_prefix>:<Operation>`."""
    resources: Mapping[str, ResourcesOf] = field(default_factory=dict)
    unauthorized: frozenset[str] = frozenset()
    """Operations for which IAM is not asked (`GetCallerIdentity`)."""
    anonymous: frozenset[str] = frozenset()
    """Operations which need no signature (`AssumeRoleWithWebIdentity`)."""
    resource_policy: Callable[[Reader, str], str | None] = no_resource_policy
    """The policy document (JSON) attached to the resource of this ARN."""


class Identity(Protocol):
    """Who callers are and what they may do; IAM implements it, the gateway and registry ask it."""

    def credential(
        self, reader: Reader, access_key_id: str, session_token: str, now: float
    ) -> Credential:
        """The credential of a signed request.

        Raises `AwsError` with AWS's code: `InvalidClientTokenId` (`UnrecognizedClientException` in
        the JSON services; the gateway translates), `ExpiredToken`.
        """

    def authorize(
        self,
        reader: Reader,
        principal: Principal,
        action: str,
        resource: Resource,
        conditions: Mapping[str, str | list[str]],
        resource_policy: str | None,
    ) -> None:
        """Raise `AwsError("AccessDeniedException", …)` in AWS's wording unless the call is allowed.

        `conditions` are the global keys of the request (`aws:SourceIp`, `aws:CurrentTime`…);
        `resource.conditions` join them.
        """

    def issue(
        self,
        reader: Reader,
        role_arn: str,
        session_name: str,
        seconds: float,
        now: float,
    ) -> Credential:
        """Temporary credentials of a role, for what Longshore itself runs (tasks, instances).

        The caller has checked that the role trusts the service. Nothing is written: the session is
        sealed into the token.
        """
