"""Fetches secrets of SSM parameters and Secrets Manager with the execution role's credentials."""

from typing import Any

import msgspec

from longshore.agent.hooks.interface import HookFailure, Work
from longshore.agent.patience import patiently
from longshore.awsapi.client import Client
from longshore.model.errors import AwsError
from longshore.nodeapi import acs

SECRET_ARN_PARTS = 7
"""`arn:partition:secretsmanager:region:account:secret:name`; JSON key, stage and id follow."""


class Secrets:
    """Values live in memory and in the containers' environment only."""

    async def set_up(self, work: Work) -> None:
        """See `interface.Hook`."""
        wanted = [(c.name, secret) for c in work.task.containers for secret in c.secrets]
        if not wanted:
            return
        for region in {region_of(secret, work.task.arn) for _, secret in wanted}:
            async with work.host.client(work.task.execution_role_credentials, region) as client:
                for container, secret in wanted:
                    if region_of(secret, work.task.arn) == region:
                        _give(work, container, secret, await _value(client, secret, work))

    async def tear_down(self, work: Work) -> None:
        """See `interface.Hook`."""


def region_of(secret: acs.Secret, task_arn: str) -> str:
    """Where the secret is: an ARN says it, a bare name is of the task's own region."""
    source = secret.value_from if secret.value_from.startswith("arn:") else task_arn
    return source.split(":", 4)[3]


def _give(work: Work, container: str, secret: acs.Secret, value: str) -> None:
    if secret.target == "LOG_DRIVER":
        work.log_secrets.setdefault(container, {})[secret.name] = value
    else:
        work.add_environment(container, {secret.name: value})


async def _value(client: Client, secret: acs.Secret, work: Work) -> str:
    place = "ssm" if secret.provider == "ssm" else "asm"
    fetch = _parameter if place == "ssm" else _secret
    try:
        return await patiently(lambda: fetch(client, secret.value_from), work.host.clock)
    except AwsError as error:
        raise HookFailure(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution "
            f"resource retrieval failed: unable to retrieve secret from {place}: service call has "
            f"been retried 1 time(s): {error}"
        ) from error


async def _parameter(client: Client, value_from: str) -> str:
    name = value_from
    if value_from.startswith("arn:"):
        name = "/" + value_from.split(":", 5)[5].removeprefix("parameter/")
        # A parameter's ARN does not tell "/name" from "name".
        if "/" not in name[1:]:
            name = name[1:]
    request = {"Names": [name], "WithDecryption": True}
    reply = await client.call("ssm", "GetParameters", request)
    found: list[dict[str, Any]] = reply.get("Parameters") or []
    if not found:
        raise HookFailure(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution "
            "resource retrieval failed: unable to retrieve secrets from ssm: Invalid parameters: "
            f"{name}"
        )
    return str(found[0]["Value"])


async def _secret(client: Client, value_from: str) -> str:
    request, key = secret_request(value_from)
    reply = await client.call("secretsmanager", "GetSecretValue", request)
    text = str(reply.get("SecretString") or "")
    if not key:
        return text
    try:
        return str(msgspec.json.decode(text)[key])
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise HookFailure(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution "
            "resource retrieval failed: unable to retrieve secret from asm: retrieved secret from "
            f"Secrets Manager did not contain json key {key}"
        ) from error


def secret_request(value_from: str) -> tuple[dict[str, str], str]:
    """GetSecretValue's request, and the JSON key to take of the value, if any.

    The form is `<secret ARN>:<json key>:<version stage>:<version id>`, the last three optional
    ("Pass Secrets Manager secrets through Amazon ECS environment variables").
    """
    parts = value_from.split(":")
    if not value_from.startswith("arn:") or len(parts) <= SECRET_ARN_PARTS:
        return {"SecretId": value_from}, ""
    key, stage, version = (*parts[SECRET_ARN_PARTS:], "", "", "")[:3]
    request = {"SecretId": ":".join(parts[:SECRET_ARN_PARTS])}
    if stage:
        request["VersionStage"] = stage
    if version:
        request["VersionId"] = version
    return request, key
