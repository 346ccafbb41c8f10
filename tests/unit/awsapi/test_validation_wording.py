"""Requests that break their model get AWS's codes and words."""

from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from longshore.awsapi.api import Api
from longshore.awsapi.http import HttpRequest
from longshore.model.errors import AwsError


def refused(service: str, operation: str, body: bytes) -> AwsError:
    parse = Api(service).operation(operation).parse
    with pytest.raises(AwsError) as caught:
        parse(HttpRequest("POST", "/", "", {}, body))
    return caught.value


def json(service: str, operation: str, **values: Any) -> AwsError:
    return refused(service, operation, msgspec.json.encode(values))


def form(service: str, operation: str, **values: str) -> AwsError:
    return refused(service, operation, urlencode(values).encode())


def test_ssm_names_every_constraint_that_a_request_breaks() -> None:
    error = json("ssm", "PutParameter", Name="", Value="v", Tier="Best")
    assert error.code == "ValidationException"
    assert error.message == (
        "2 validation errors detected: Value '' at 'name' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1; Value 'Best' at 'tier' failed to "
        "satisfy constraint: Member must satisfy enum value set: "
        "[Standard, Advanced, Intelligent-Tiering]"
    )


def test_logs_answers_invalid_parameter_with_the_pattern() -> None:
    error = json("logs", "CreateLogGroup", logGroupName="a b")
    assert error.code == "InvalidParameterException"
    assert error.message == (
        "1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
    )


def test_a_missing_member_is_null() -> None:
    assert json("logs", "CreateLogGroup").message == (
        "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: "
        "Member must not be null"
    )


def test_members_of_lists_are_counted_from_one() -> None:
    error = json("logs", "PutLogEvents", logGroupName="g", logStreamName="s", logEvents=[{}])
    assert "at 'logEvents.1.member.timestamp'" in error.message


def test_ecr_has_words_of_its_own() -> None:
    error = json("ecr", "CreateRepository", repositoryName="Upper")
    assert error.code == "InvalidParameterException"
    assert error.message.startswith(
        "Invalid parameter at 'repositoryName' failed to satisfy constraint: "
        "'must satisfy regular expression '"
    )


def test_iam_answers_validation_error_with_lower_case_names() -> None:
    error = form("iam", "GetRole", RoleName="x" * 65)
    assert error.code == "ValidationError"
    assert "at 'roleName' failed to satisfy constraint: Member must have length less than or " in (
        error.message
    )


def test_ec2_asks_for_the_parameter_that_is_missing() -> None:
    error = form("ec2", "CreateSubnet")
    assert (error.code, error.message) == (
        "MissingParameter",
        "The request must contain the parameter VpcId",
    )


def test_ec2_names_the_parameter_whose_value_it_cannot_read() -> None:
    error = form("ec2", "DescribeVpcs", MaxResults="many")
    assert error.code == "InvalidParameterValue"
    assert error.message.startswith("Value (many) for parameter MaxResults is invalid.")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"count": "one"}, "STRING_VALUE can not be converted to an Integer"),
        ({"cluster": 1}, "NUMBER_VALUE can not be converted to a String"),
        ({"enableExecuteCommand": "yes"}, "STRING_VALUE can not be converted to a Boolean"),
        ({"cluster": {}}, "Start of structure or map found where not expected."),
        ({"cluster": []}, "Start of list found where not expected"),
        ({"overrides": "x"}, "Unexpected field type"),
        ({"count": 3_000_000_000}, "Numeric value (3000000000) out of range"),
    ],
)
def test_a_value_of_another_type_is_a_serialization_exception(
    values: dict[str, Any], words: str
) -> None:
    error = json("ecs", "RunTask", taskDefinition="t", **values)
    assert (error.code, error.message) == ("SerializationException", words)


def test_unknown_members_and_nulls_are_ignored() -> None:
    parse = Api("ecs").operation("DescribeClusters").parse
    body = b'{"clusters": ["a", null], "include": null, "nothing": 1}'
    assert parse(HttpRequest("POST", "/", "", {}, body)) == {"clusters": ["a"]}


def test_a_pattern_that_would_backtrack_for_ever_is_given_up() -> None:
    error = json("ecr", "CreateRepository", repositoryName="a" * 255 + "!")
    assert error.code == "InvalidParameterException"
