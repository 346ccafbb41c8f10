"""How IAM names a resource in the sentence that denies a call of its own.

The rest of AWS writes ARNs; IAM writes `role NAME`, and the ARN only where an entity is made or
entities are listed by path.
"""

from collections.abc import Mapping

from longshore.model.arn import parse_arn

WORDS: Mapping[str, str] = {
    "group": "group",
    "instance-profile": "instance profile",
    "role": "role",
    "user": "user",
}
BY_ARN = frozenset(
    {
        "iam:CreateGroup",
        "iam:CreateInstanceProfile",
        "iam:CreateRole",
        "iam:CreateServiceLinkedRole",
        "iam:CreateUser",
        "iam:ListGroups",
        "iam:ListInstanceProfiles",
        "iam:ListRoles",
        "iam:ListUsers",
        "iam:PassRole",
    }
)


def told_resource(action: str, arn: str) -> str:
    """What stands after `on resource:`."""
    parsed = parse_arn(arn)
    if not action.startswith("iam:") or action in BY_ARN or parsed is None:
        return arn
    name = parsed.resource.rpartition("/")[2]
    if action == "iam:ListPolicies":
        return f"policy path {parsed.resource.removeprefix('policy')}"
    if parsed.resource_type == "policy":
        return f"policy {name if action == 'iam:CreatePolicy' else arn}"
    word = WORDS.get(parsed.resource_type)
    return f"{word} {name}" if word is not None else arn
