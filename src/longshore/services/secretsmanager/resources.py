"""Secrets as requests name them: by name, by ARN, or by ARN without its six last characters."""

from collections.abc import Iterable, Mapping
from typing import Any

from longshore.model.arn import make_arn, parse_arn
from longshore.model.errors import AwsError
from longshore.model.secretsmanager import SECRET, Secret, secret_arn
from longshore.services.interface import Context, Resource
from longshore.store.interface import Reader


def invalid_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def invalid_request(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)


def not_found(message: str = "Secrets Manager can't find the specified secret.") -> AwsError:
    return AwsError("ResourceNotFoundException", message)


def find(reader: Reader, account: str, region: str, secret_id: str, now: float) -> Secret | None:
    """The secret, deleted or not; None where there is none, or its recovery window is over."""
    arn = parse_arn(secret_id)
    if arn is None:
        found = _named(reader, account, region, secret_id)
    elif arn.service != "secretsmanager" or not arn.resource.startswith("secret:"):
        raise invalid_parameter("Invalid ARN: the service or the resource is not a secret.")
    else:
        found = _by_arn_name(reader, arn.account, arn.region, arn.resource[len("secret:") :])
        if (arn.account, arn.region) != (account, region):
            # Another account's secret is not served from here: nobody learns whether it exists.
            return None
    if found is not None and found.deletes_at and found.deletes_at <= now:
        return None
    return found


def _named(reader: Reader, account: str, region: str, name: str) -> Secret | None:
    record = reader.get(SECRET, account, region, name)
    return None if record is None else record.value


def _by_arn_name(reader: Reader, account: str, region: str, name: str) -> Secret | None:
    """By the whole name in an ARN, or by the part before the suffix."""
    records = reader.find(SECRET, account, region, "arn-name", name)
    return records[0].value if records else _named(reader, account, region, name)


def require(context: Context, secret_id: str) -> Secret:
    """The secret, deleted or not."""
    found = find(context.tx, context.account, context.region, secret_id, context.now)
    if found is None:
        raise not_found()
    return found


def require_active(context: Context, secret_id: str) -> Secret:
    """The secret, if it is not marked for deletion."""
    secret = require(context, secret_id)
    if secret.deletes_at:
        raise invalid_request(
            "You can't perform this operation on the secret because it was marked for deletion."
        )
    return secret


def keep(context: Context, secret: Secret) -> None:
    context.tx.put(SECRET, context.account, context.region, secret.name, secret)


def arn_of(context: Context, secret: Secret) -> str:
    return secret_arn(context.account, context.region, secret)


def named(context: Context, secret: Secret) -> dict[str, Any]:
    """What nearly every response begins with."""
    return {"ARN": arn_of(context, secret), "Name": secret.name}


def suffix(context: Context) -> str:
    """Six letters and digits, as AWS's end."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    number = int(context.ids.hex(16), 16)
    return "".join(alphabet[number // 62**place % 62] for place in range(6))


def one_secret(context: Context, request: Any) -> Iterable[Resource]:
    """The secret of a call; one that does not exist, under the ARN that it would have."""
    secret_id = request.get("SecretId")
    if not secret_id:
        return
    found = find(context.tx, context.account, context.region, secret_id, context.now)
    if found is not None:
        conditions: dict[str, str | list[str]] = {
            f"{prefix}:ResourceTag/{key}": value
            for key, value in found.tags
            for prefix in ("aws", "secretsmanager")
        }
        conditions["secretsmanager:Name"] = found.name
        yield Resource(arn=arn_of(context, found), conditions=conditions)
    elif parse_arn(secret_id) is not None:
        yield Resource(arn=secret_id)
    else:
        yield _unmade(context, secret_id)


def new_secret(context: Context, request: Mapping[str, Any]) -> Iterable[Resource]:
    yield _unmade(context, request["Name"])


def _unmade(context: Context, name: str) -> Resource:
    """A secret without its suffix; AWS matches policies with `-??????` against it."""
    arn = make_arn("secretsmanager", context.region, context.account, f"secret:{name}-??????")
    return Resource(arn=arn, conditions={"secretsmanager:Name": name})


def resource_policy(reader: Reader, arn: str) -> str | None:
    """The policy of the secret of this ARN."""
    parsed = parse_arn(arn)
    if parsed is None:
        return None
    name = parsed.resource.removeprefix("secret:")
    found = _by_arn_name(reader, parsed.account, parsed.region, name)
    return found.policy or None if found is not None else None
