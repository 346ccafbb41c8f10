"""EKS's exceptions ("Common errors" and "Errors" of each operation, Amazon EKS API Reference)."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from longshore.model.errors import AwsError
from longshore.services.interface import Context, Operation, Response


def invalid_parameter(message: str, cluster: str = "") -> AwsError:
    return _about(cluster, "InvalidParameterException", message)


def invalid_request(message: str, cluster: str) -> AwsError:
    return _about(cluster, "InvalidRequestException", message)


def in_use(message: str, cluster: str) -> AwsError:
    return _about(cluster, "ResourceInUseException", message)


def not_found(message: str, cluster: str) -> AwsError:
    return _about(cluster, "ResourceNotFoundException", message)


def limit_exceeded(message: str, cluster: str) -> AwsError:
    return _about(cluster, "ResourceLimitExceededException", message)


def token_reused(cluster: str) -> AwsError:
    message = "The clientRequestToken was used before with different parameters"
    return invalid_parameter(message, cluster)


def _about(cluster: str, code: str, message: str) -> AwsError:
    """The error with the member that names the cluster."""
    return AwsError(code, message, members={"clusterName": cluster} if cluster else None)


def about(member: str) -> Callable[[Operation], Operation]:
    """Decorates an operation on a part of a cluster: its errors name the part, which the request
    has in this member, beside the cluster."""

    def decorate(operation: Callable[[Context, Any], Response]) -> Operation:
        @wraps(operation)
        def run(context: Context, request: Any) -> Response:
            try:
                return operation(context, request)
            except AwsError as error:
                if "clusterName" in error.members:
                    error.members = {**error.members, member: request[member]}
                raise

        return run

    return decorate
