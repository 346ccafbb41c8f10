"""How each service words a request that breaks its model."""

from collections.abc import Callable, Sequence
from typing import Any

from longshore.awsapi.model import ServiceModel
from longshore.awsapi.validation import Problem
from longshore.model.errors import AwsError

Dialect = Callable[[Sequence[Problem]], AwsError]

CODES = {
    "ecr": "InvalidParameterException",
    "ecs": "InvalidParameterException",
    "eks": "InvalidParameterException",
    "logs": "InvalidParameterException",
    "elasticfilesystem": "BadRequest",
    "s3": "InvalidArgument",
}
"""Error codes of validation by endpoint prefix's service, where the protocol's is not used."""
PROTOCOL_CODES = {"query": "ValidationError", "ec2": "InvalidParameterValue"}
UNCHECKED_BY_EC2 = frozenset({"InstanceType"})
"""EC2 answers with codes of its own where these hold an unknown value: its functions check them."""


def dialect_of(model: ServiceModel) -> Dialect:
    """The wording of a service."""
    metadata = model.metadata
    name = metadata.scope_name
    if metadata.protocol == "ec2":
        return _ec2
    code = CODES.get(name, PROTOCOL_CODES.get(metadata.protocol, "ValidationException"))
    if name == "ecr":
        return lambda problems: _ecr(code, problems[0])
    return lambda problems: _coral(code, problems)


def _coral(code: str, problems: Sequence[Problem]) -> AwsError:
    """`1 validation error detected: Value 'x' at 'name' failed to satisfy constraint: …`"""
    texts = "; ".join(
        f"Value {_shown(problem.value)} at '{_lowered(problem.path)}' "
        f"failed to satisfy constraint: {problem.constraint}"
        for problem in problems
    )
    noun = "error" if len(problems) == 1 else "errors"
    return AwsError(code, f"{len(problems)} validation {noun} detected: {texts}")


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bytes):
        return f"'java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]'"
    if isinstance(value, list):
        return f"'[{', '.join(map(str, value))}]'"
    return f"'{value}'"


def _lowered(path: str) -> str:
    """Members as Coral names them: `userName` for IAM's `UserName`."""
    return ".".join(part[:1].lower() + part[1:] for part in path.split("."))


def _ecr(code: str, problem: Problem) -> AwsError:
    constraint = problem.constraint.removeprefix("Member ")
    if problem.kind == "pattern":
        constraint = constraint.replace("pattern: ", "'") + "'"
    return AwsError(
        code,
        f"Invalid parameter at '{problem.path}' failed to satisfy constraint: '{constraint}'",
    )


def _ec2(problems: Sequence[Problem]) -> AwsError:
    problem = problems[0]
    path = ".".join(part for part in problem.path.split(".") if part != "member")
    if problem.kind == "required":
        return AwsError("MissingParameter", f"The request must contain the parameter {path}")
    if problem.kind == "length" and isinstance(problem.value, list) and not problem.value:
        return AwsError("MissingParameter", f"The request must contain the parameter {path}")
    return AwsError(
        "InvalidParameterValue",
        f"Value ({problem.value}) for parameter {path} is invalid. {problem.constraint}.",
    )


def ec2_checks(problem: Problem) -> bool:
    """Whether EC2 itself finds this problem before its operation's own code runs."""
    name = problem.path.rpartition(".")[2]
    return problem.kind != "enum" or name not in UNCHECKED_BY_EC2
