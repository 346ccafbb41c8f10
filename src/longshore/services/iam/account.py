"""What is said of the account as a whole: its alias and its summary."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from longshore.model import iam
from longshore.model.kind import Kind
from longshore.services.iam.access_keys import KEYS_PER_USER
from longshore.services.iam.attachments import POLICIES_PER_ENTITY
from longshore.services.iam.documents import MANAGED_POLICY, TRUST_POLICY
from longshore.services.iam.entities import GROUP, INSTANCE_PROFILE, ROLE, USER
from longshore.services.iam.failures import already_exists, no_such_entity
from longshore.services.iam.groups import GROUPS_PER_USER
from longshore.services.iam.inline import INLINE_SIZES
from longshore.services.iam.policies import POLICIES_PER_ACCOUNT
from longshore.services.iam.policy_versions import MOST_VERSIONS
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

ALIAS = "alias"
QUOTAS: Mapping[str, int] = {
    "UsersQuota": USER.most,
    "GroupsQuota": GROUP.most,
    "RolesQuota": ROLE.most,
    "InstanceProfilesQuota": INSTANCE_PROFILE.most,
    "PoliciesQuota": POLICIES_PER_ACCOUNT,
    "PolicySizeQuota": MANAGED_POLICY,
    "AssumeRolePolicySizeQuota": TRUST_POLICY,
    "UserPolicySizeQuota": INLINE_SIZES["user"],
    "GroupPolicySizeQuota": INLINE_SIZES["group"],
    "RolePolicySizeQuota": INLINE_SIZES["role"],
    "GroupsPerUserQuota": GROUPS_PER_USER,
    "AccessKeysPerUserQuota": KEYS_PER_USER,
    "AttachedPoliciesPerUserQuota": POLICIES_PER_ENTITY,
    "AttachedPoliciesPerGroupQuota": POLICIES_PER_ENTITY,
    "AttachedPoliciesPerRoleQuota": POLICIES_PER_ENTITY,
    "VersionsPerPolicyQuota": MOST_VERSIONS,
}
NOT_OFFERED: Mapping[str, int] = dict.fromkeys(
    (
        "AccountAccessKeysPresent",
        "AccountMFAEnabled",
        "AccountPasswordPresent",
        "AccountSigningCertificatesPresent",
        "MFADevices",
        "MFADevicesInUse",
        "ServerCertificates",
    ),
    0,
)
"""What Longshore has none of: the root user has no keys, and there are no devices."""


def create_account_alias(
    context: Context, request: "t.CreateAccountAliasRequestTypeDef"
) -> Response:
    """An account has one alias: a new one takes the old one's place."""
    alias = request["AccountAlias"]
    if any(record.value.alias == alias for record in context.tx.scan(iam.ACCOUNT_ALIAS)):
        raise already_exists(f"The account alias {alias} already exists.")
    context.tx.put(iam.ACCOUNT_ALIAS, context.account, "", ALIAS, iam.AccountAlias(alias=alias))
    return {}


def delete_account_alias(
    context: Context, request: "t.DeleteAccountAliasRequestTypeDef"
) -> Response:
    record = context.tx.get(iam.ACCOUNT_ALIAS, context.account, "", ALIAS)
    if record is None or record.value.alias != request["AccountAlias"]:
        raise no_such_entity(f"The account alias {request['AccountAlias']} cannot be found.")
    context.tx.delete(iam.ACCOUNT_ALIAS, context.account, "", ALIAS)
    return {}


def list_account_aliases(
    context: Context, request: "t.ListAccountAliasesRequestTypeDef"
) -> Response:
    record = context.tx.get(iam.ACCOUNT_ALIAS, context.account, "", ALIAS)
    aliases = [record.value.alias] if record is not None else []
    return {"AccountAliases": aliases, "IsTruncated": False}


def get_account_summary(context: Context, request: object) -> Response:
    policies = context.tx.scan(iam.POLICY, context.account, "")
    return {
        "SummaryMap": {
            **QUOTAS,
            **NOT_OFFERED,
            "Users": _count(context, iam.USER),
            "Groups": _count(context, iam.GROUP),
            "Roles": _count(context, iam.ROLE),
            "InstanceProfiles": _count(context, iam.INSTANCE_PROFILE),
            "Providers": _count(context, iam.OIDC_PROVIDER),
            "Policies": len(policies),
            "PolicyVersionsInUse": sum(len(record.value.versions) for record in policies),
        }
    }


def _count(context: Context, kind: Kind[Any]) -> int:
    return len(context.tx.scan(kind, context.account, ""))


OPERATIONS: Mapping[str, Operation] = {
    "CreateAccountAlias": create_account_alias,
    "DeleteAccountAlias": delete_account_alias,
    "ListAccountAliases": list_account_aliases,
    "GetAccountSummary": get_account_summary,
}
