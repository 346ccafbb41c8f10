"""The reviews on the wire: authentication.k8s.io/v1 and authorization.k8s.io/v1, what is used.

What a review has besides is passed over; what it lacks of these makes it none.
"""

from typing import Literal

import msgspec

Extra = dict[str, tuple[str, ...]]
AuthenticationVersion = Literal["authentication.k8s.io/v1"]
AuthorizationVersion = Literal["authorization.k8s.io/v1"]


class TokenReviewSpec(msgspec.Struct, frozen=True, rename="camel"):
    token: str


class TokenReview(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The question whom a token belongs to."""

    api_version: AuthenticationVersion
    kind: Literal["TokenReview"]
    spec: TokenReviewSpec


class UserInfo(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """A user as Kubernetes knows it. `uid` is unique over time, `extra` what authorizers see."""

    username: str
    uid: str
    groups: tuple[str, ...] = ()
    extra: Extra = {}


class TokenReviewStatus(
    msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True
):
    authenticated: bool
    user: UserInfo | None = None
    error: str = ""


class ReviewedToken(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The answer: a TokenReview that does not repeat the token."""

    api_version: AuthenticationVersion = "authentication.k8s.io/v1"
    kind: Literal["TokenReview"] = "TokenReview"
    status: TokenReviewStatus


class ResourceAttributes(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A request for resources. `namespace` is empty for what lies in none, and for all of them.

    A request for one Namespace has the name of it as its `namespace`, as Kubernetes reads paths.
    """

    verb: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""


class NonResourceAttributes(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A request for a path that is no resource's, as `/healthz`."""

    path: str = ""
    verb: str = ""


class SubjectAccessReviewSpec(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    user: str = ""
    uid: str = ""
    extra: Extra = {}
    resource_attributes: ResourceAttributes | None = None
    non_resource_attributes: NonResourceAttributes | None = None

    @property
    def attributes(self) -> ResourceAttributes | NonResourceAttributes | None:
        return self.resource_attributes or self.non_resource_attributes


class SubjectAccessReview(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The question whether somebody may do something."""

    api_version: AuthorizationVersion
    kind: Literal["SubjectAccessReview"]
    spec: SubjectAccessReviewSpec


class SubjectAccessReviewStatus(
    msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True
):
    """Not `allowed` is no opinion: the API server's other authorizers may allow it still."""

    allowed: bool
    reason: str = ""


class ReviewedAccess(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The answer."""

    api_version: AuthorizationVersion = "authorization.k8s.io/v1"
    kind: Literal["SubjectAccessReview"] = "SubjectAccessReview"
    status: SubjectAccessReviewStatus
