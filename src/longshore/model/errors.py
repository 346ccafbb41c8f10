"""The one exception that becomes an answer to an API client."""

from collections.abc import Mapping


class AwsError(Exception):
    """An error as AWS gives it to a client.

    `code` is the error code of the service's model or of "Common Errors"; `status` the HTTP status
    where the model does not state one; `members` further members of the modelled error shape.
    `request_id` is the refused request's, where another process refused it.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members: Mapping[str, object] = members or {}
        self.request_id = ""


def not_implemented(service: str, operation: str) -> AwsError:
    """The answer for what Longshore has not built: 501 `NotImplemented`, never an empty success."""
    return not_built(f"{service}:{operation}")


def not_built(what: str) -> AwsError:
    """The same for a part of an operation: `what` stands in the sentence."""
    return AwsError("NotImplemented", f"Longshore does not implement {what} yet.", status=501)
