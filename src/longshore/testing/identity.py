"""An identity of known keys, for tests that are not about IAM."""

from collections.abc import Callable, Mapping

from longshore.model.errors import AwsError
from longshore.model.principal import Credential, Principal, root
from longshore.services.interface import Resource
from longshore.store.interface import Reader

ACCOUNT = "123456789012"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - AWS's documented example
INVALID = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"

Allows = Callable[[Principal, str, Resource], bool]


def everything(principal: Principal, action: str, resource: Resource) -> bool:
    return True


class KnownKeys:
    """`services.interface.Identity` over a list of credentials and one rule.

    What was asked is kept in `asked`: (action, resource ARN, conditions).
    """

    def __init__(self, *credentials: Credential, allows: Allows = everything) -> None:
        own = Credential(access_key_id=KEY_ID, secret_access_key=SECRET, principal=root(ACCOUNT))
        self._known = {known.access_key_id: known for known in (own, *credentials)}
        self._allows = allows
        self.asked: list[tuple[str, str, Mapping[str, str | list[str]]]] = []

    def credential(
        self, reader: Reader, access_key_id: str, session_token: str, now: float
    ) -> Credential:
        known = self._known.get(access_key_id)
        if known is None or known.session_token != session_token:
            raise AwsError("InvalidClientTokenId", INVALID, 403)
        if known.expires is not None and known.expires <= now:
            raise AwsError("ExpiredToken", EXPIRED, 403)
        return known

    def authorize(
        self,
        reader: Reader,
        principal: Principal,
        action: str,
        resource: Resource,
        conditions: Mapping[str, str | list[str]],
        resource_policy: str | None,
    ) -> None:
        self.asked.append((action, resource.arn, {**conditions, **resource.conditions}))
        if not self._allows(principal, action, resource):
            raise AwsError(
                "AccessDeniedException",
                f"User: {principal.arn} is not authorized to perform: {action} "
                f"on resource: {resource.arn} because no identity-based policy allows the "
                f"{action} action",
                400,
            )

    def issue(
        self, reader: Reader, role_arn: str, session_name: str, seconds: float, now: float
    ) -> Credential:
        raise NotImplementedError("known keys are all there are")
