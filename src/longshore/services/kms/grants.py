"""Grants ("Grants in AWS KMS", AWS KMS Developer Guide)."""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError, not_built
from longshore.model.kms import GRANT, Grant, Key, Pairs, grant_name, key_arn
from longshore.model.principal import root
from longshore.policy.evaluation import is_named
from longshore.services.interface import Context, Response
from longshore.services.keys import (
    CRYPTOGRAPHIC,
    TOKEN_PREFIX,
    Found,
    check_usable,
    grants_of,
    new_token,
)
from longshore.services.kms.pages import page
from longshore.services.kms.resources import end_dry_run, find, find_own

OPERATIONS = CRYPTOGRAPHIC | {"CreateGrant", "DescribeKey", "RetireGrant"}
"""What a grant of a symmetric key can be for."""
GRANTS_PAGE = 50
MOST_GRANTS = 50_000
"""Of a key ("Quotas", AWS KMS Developer Guide)."""


def create(context: Context, request: Any) -> Response:
    """The same grant again where its name and all of it are those of one that there is."""
    for member in ("GranteeServicePrincipal", "RetiringServicePrincipal"):
        if request.get(member):
            raise not_built("grants to services")
    found = find(context, request["KeyId"])
    check_usable(found.key)
    asked = _asked(context, found.key, request)
    end_dry_run(request)
    grants = grants_of(context.tx, found.account, found.region, found.key.id)
    if asked.name:
        for known in grants:
            same = msgspec.structs.replace(
                asked, id=known.id, token=known.token, created_at=known.created_at
            )
            if known == same:
                return {"GrantId": known.id, "GrantToken": known.token}
    if len(grants) >= MOST_GRANTS:
        raise AwsError("LimitExceededException", f"A key has no more than {MOST_GRANTS} grants")
    name = grant_name(found.key.id, asked.id)
    context.tx.create(GRANT, found.account, found.region, name, asked)
    return {"GrantId": asked.id, "GrantToken": asked.token}


def _asked(context: Context, key: Key, request: Any) -> Grant:
    operations = dict.fromkeys(request["Operations"])
    for name in operations:
        if name not in OPERATIONS:
            raise AwsError("ValidationException", f"Grants of this key cannot be for {name}")
    if not operations or "GranteePrincipal" not in request:
        raise AwsError("ValidationException", "GranteePrincipal and Operations are required")
    constraints = request.get("Constraints") or {}
    if len(constraints) > 1:
        raise AwsError("ValidationException", "A grant has one constraint at most")
    grant_id = context.ids.hex(64)
    return Grant(
        id=grant_id,
        key_id=key.id,
        token=new_token(key.arn, grant_id, context.ids.hex(32)),
        created_at=context.now,
        issuer=root(context.account).arn,
        grantee=_principal(request["GranteePrincipal"]),
        operations=tuple(operations),
        retiring=_principal(request["RetiringPrincipal"]) if "RetiringPrincipal" in request else "",
        name=request.get("Name", ""),
        equals=_pairs(constraints.get("EncryptionContextEquals")),
        subset=_pairs(constraints.get("EncryptionContextSubset")),
    )


def _principal(arn: str) -> str:
    parts = parse_arn(arn)
    if parts is None or parts.service not in {"iam", "sts"} or len(parts.account) != 12:
        raise AwsError("InvalidArnException", f"ARN {arn} is not a principal")
    kinds = {"root", "user", "role", "assumed-role", "federated-user"}
    if (parts.resource_type or parts.resource) not in kinds:
        raise AwsError("InvalidArnException", f"ARN {arn} is not a principal")
    return arn


def _pairs(context: Mapping[str, str] | None) -> Pairs | None:
    return None if context is None else tuple(sorted(context.items()))


def list_grants(context: Context, request: Any) -> Response:
    key = find_own(context, request["KeyId"])
    wanted = {
        "id": request.get("GrantId"),
        "grantee": request.get("GranteePrincipal"),
    }
    grants = [
        grant
        for grant in grants_of(context.tx, context.account, context.region, key.id)
        if all(value is None or getattr(grant, name) == value for name, value in wanted.items())
    ]
    shown, more = page(grants, request, GRANTS_PAGE)
    return {"Grants": [_shape(key.arn, grant) for grant in shown], **more}


def list_retirable(context: Context, request: Any) -> Response:
    """Those of the account and region whose retiring principal is the one given."""
    if "RetiringPrincipal" not in request:
        raise AwsError("ValidationException", "RetiringPrincipal is required")
    records = context.tx.scan(GRANT, context.account, context.region)
    grants = [each.value for each in records if each.value.retiring == request["RetiringPrincipal"]]
    shown, more = page(grants, request, GRANTS_PAGE)
    own = (context.region, context.account)
    return {"Grants": [_shape(key_arn(*own, each.key_id), each) for each in shown], **more}


def _shape(arn: str, grant: Grant) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "KeyId": arn,
        "GrantId": grant.id,
        "Name": grant.name,
        "CreationDate": grant.created_at,
        "GranteePrincipal": grant.grantee,
        "IssuingAccount": grant.issuer,
        "Operations": list(grant.operations),
    }
    if grant.retiring:
        shape["RetiringPrincipal"] = grant.retiring
    for name, pairs in (("Equals", grant.equals), ("Subset", grant.subset)):
        if pairs is not None:
            shape["Constraints"] = {f"EncryptionContext{name}": dict(pairs)}
    return shape


def revoke(context: Context, request: Any) -> Response:
    key = find_own(context, request["KeyId"])
    name = grant_name(key.id, request["GrantId"])
    if context.tx.get(GRANT, context.account, context.region, name) is None:
        raise _no_grant(request["GrantId"])
    context.tx.delete(GRANT, context.account, context.region, name)
    return {}


def retire(context: Context, request: Any) -> Response:
    """By whom the grant says, or who may by policies (RetireGrant, AWS KMS API Reference)."""
    found, grant = _retired(context, request)
    retires = [grant.retiring] if grant.retiring else []
    retires += [grant.grantee] if "RetireGrant" in grant.operations else []
    if not any(is_named(arn, context.principal) for arn in retires):
        context.authorize("kms:RetireGrant", found.key.arn)
    name = grant_name(grant.key_id, grant.id)
    context.tx.delete(GRANT, found.account, found.region, name)
    return {}


def _retired(context: Context, request: Any) -> tuple[Found, Grant]:
    """The grant, and its key, by its token or by both ids."""
    token, key_id, grant_id = (request.get(name) for name in ("GrantToken", "KeyId", "GrantId"))
    if (token is None) == (key_id is None and grant_id is None):
        raise AwsError("ValidationException", "Either a grant token or key and grant are required")
    if token is not None:
        key_id, grant_id = _read_token(token)
    if key_id is None or grant_id is None:
        raise AwsError("ValidationException", "Both KeyId and GrantId are required")
    found = find(context, key_id)
    name = grant_name(found.key.id, grant_id)
    record = context.tx.get(GRANT, found.account, found.region, name)
    if record is None or (token is not None and record.value.token != token):
        raise _no_grant(grant_id)
    return found, record.value


def _no_grant(grant_id: str) -> AwsError:
    return AwsError("NotFoundException", f"Grant ID {grant_id} not found")


def _read_token(token: str) -> tuple[str, str]:
    """The ARN of its key and the grant's id; InvalidGrantTokenException."""
    try:
        text = base64.urlsafe_b64decode(token.removeprefix(TOKEN_PREFIX)).decode()
        arn, grant_id, _ = text.split(" ")
    except ValueError:
        raise AwsError("InvalidGrantTokenException", "The grant token is not valid") from None
    return arn, grant_id
