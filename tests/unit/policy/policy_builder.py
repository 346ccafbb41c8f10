"""Documents, principals and decisions in a line each."""

import json
from collections.abc import Mapping
from typing import Any

from longshore.model.principal import Principal, root
from longshore.policy.document import Document, Kind, read_document
from longshore.policy.evaluation import Decision, Policies, Request, evaluate

ACCOUNT, OTHER = "111122223333", "444455556666"
CLUSTER = f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/web"
ROOT = root(ACCOUNT)
ANN = Principal(
    account=ACCOUNT,
    arn=f"arn:aws:iam::{ACCOUNT}:user/ann",
    user_id="AIDAANNANNANNANNANNAN",
    kind="user",
    user_name="ann",
)
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/deploy"
SESSION = Principal(
    account=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
    user_id="AROADEPLOYDEPLOYDEPLO:ci",
    kind="assumed-role",
    role_arn=ROLE_ARN,
    session_name="ci",
    issued_at=1_767_225_600.0,
)
FEDERATED = Principal(
    account=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:federated-user/guest",
    user_id=f"{ACCOUNT}:guest",
    kind="federated-user",
    user_name="ann",
    user_arn=ANN.arn,
    issuer_id=ANN.user_id,
    issued_at=1_767_225_600.0,
)
SERVICE = Principal(
    account="", arn="ecs.amazonaws.com", user_id="ecs.amazonaws.com", kind="service"
)
ANONYMOUS = Principal(account="", arn="*", user_id="anonymous", kind="anonymous")


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """One that is about everything but where `elements` say otherwise."""
    default: dict[str, Any] = {}
    if not {"Action", "NotAction"} & set(elements):
        default["Action"] = "*"
    if not {"Resource", "NotResource"} & set(elements):
        default["Resource"] = "*"
    return {"Effect": effect, **default, **elements}


def policy(*statements: Mapping[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def identity(*statements: Mapping[str, Any], version: str = "2012-10-17") -> Document:
    return read_document(policy(*statements, version=version))


def resource(*statements: Mapping[str, Any]) -> Document:
    return read_document(policy(*statements), Kind.RESOURCE)


def trust(*statements: Mapping[str, Any]) -> Document:
    without = [{k: v for k, v in each.items() if k != "Resource"} for each in statements]
    return read_document(policy(*without), Kind.TRUST)


ALLOW, DENY = identity(statement()), identity(statement("Deny"))


def decide(
    *documents: Document,
    who: Principal = ANN,
    action: str = "ecs:DescribeClusters",
    on: str = CLUSTER,
    given: Mapping[str, str | list[str]] | None = None,
    **others: Any,
) -> Decision:
    """The decision on one call, by `documents` as identity policies and `others` as `Policies`."""
    request = Request(principal=who, action=action, resource=on, conditions=given or {})
    return evaluate(request, Policies(identity=documents, **others))


def allowed(*documents: Document, **call: Any) -> bool:
    return decide(*documents, **call).allowed


def condition_holds(
    operator: str,
    key: str,
    wanted: Any,
    given: Mapping[str, str | list[str]] | None = None,
    who: Principal = ANN,
    version: str = "2012-10-17",
) -> bool:
    """Whether a statement with this one condition applies."""
    document = identity(statement(Condition={operator: {key: wanted}}), version=version)
    return allowed(document, given=given, who=who)
