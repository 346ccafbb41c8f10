"""Roles for whom an identity provider vouches for."""

import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.oidc.foreign_issuer import ForeignIssuer, foreign_issuer
from integration.services.sts.sts_plane import (
    ACCOUNT,
    IDS,
    OTHER,
    Caller,
    Plane,
    allow,
    document,
    running,
    trusting,
)

from longshore.model import eks, iam
from longshore.model.errors import AwsError
from longshore.oidc.documents import CONFIGURATION
from longshore.services.iam.oidc_providers import provider_arn
from longshore.services.sts.web_tokens import LEEWAY_SECONDS, check_times, read_web_token
from longshore.testing.web_tokens import Signer, unsigned

CLIENT = "sts.amazonaws.com"
SUBJECT = "system:serviceaccount:default:web"
ASSUME = "sts:AssumeRoleWithWebIdentity"
DENIED = ("AccessDenied", f"Not authorized to perform {ASSUME}")
NO_JWT = (
    "InvalidIdentityToken",
    "The ID Token provided is not a valid JWT. "
    "(You may see this error if you sent an Access Token)",
)
NOT_SIGNED = (
    "InvalidIdentityToken",
    "The web identity token that was passed could not be validated by AWS. Get a new identity "
    "token from the identity provider and then retry the request.",
)
NO_KEY = (
    "InvalidIdentityToken",
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements",
)
OWN, OTHERS = Signer(0), Signer(1)
LACKING: Any = object()


@dataclass(kw_only=True)
class Web:
    """A cluster's issuer, registered; a role that trusts it; and somebody without credentials."""

    plane: Plane
    issuer: str
    signer: Signer = field(default_factory=lambda: OWN)
    stranger: Caller

    @property
    def url(self) -> str:
        return self.issuer.removeprefix("https://")

    @property
    def arn(self) -> str:
        return provider_arn(ACCOUNT, self.issuer)

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        found = {
            "iss": self.issuer,
            "sub": SUBJECT,
            "aud": [CLIENT],
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            **changes,
        }
        return {name: value for name, value in found.items() if value is not LACKING}

    def token(self, signer: Signer | None = None, **changes: Any) -> str:
        return (signer or self.signer).token(self.claims(**changes))

    async def register(self, account: str = ACCOUNT, **fields: Any) -> None:
        provider = iam.OidcProvider(
            **{
                "url": self.url,
                "arn": provider_arn(account, self.issuer),
                "created_at": 0.0,
                "client_ids": (CLIENT,),
                **fields,
            }
        )
        await self.plane.put(iam.OIDC_PROVIDER, account, self.url, provider)

    async def role(self, name: str = "web", *statements: Any, **elements: Any) -> iam.Role:
        """One that trusts the issuer; `elements` are the trust's."""
        fields = elements.pop("fields", {})
        trust = trusting({"Federated": self.arn}, ASSUME, **elements)
        return await self.plane.role(name, trust, *statements, **fields)

    async def assume(self, role: iam.Role, token: str | None = None, **more: Any) -> Any:
        return await self.stranger.call(
            "assume_role_with_web_identity", **self.request(role, token, **more)
        )

    async def refused(
        self, role: iam.Role, token: str | None = None, **more: Any
    ) -> tuple[str, str]:
        return await self.stranger.error(
            "assume_role_with_web_identity", **self.request(role, token, **more)
        )

    def request(self, role: iam.Role, token: str | None, **more: Any) -> dict[str, Any]:
        return {
            "RoleArn": role.arn,
            "RoleSessionName": "pod",
            "WebIdentityToken": token if token is not None else self.token(),
            **more,
        }


def cluster(signer: Signer, name: str) -> tuple[str, eks.ClusterStatus]:
    """The issuer of a cluster, and its status."""
    cluster_id = IDS.hex(32).upper()
    issuer = f"https://oidc.eks.us-east-1.longshore.internal:4567/id/{cluster_id}"
    return issuer, eks.ClusterStatus(id=cluster_id, issuer=issuer, token_key=signer.pem)


async def have_cluster(plane: Plane, signer: Signer, name: str) -> str:
    issuer, status = cluster(signer, name)

    def write(tx: Any) -> None:
        tx.put(eks.CLUSTER_STATUS, ACCOUNT, "us-east-1", name, status)

    await plane.store.transact(write)
    return issuer


def anywhere(address: str) -> bool:
    return True


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Web]:
    async with running(tmp_path) as plane:
        issuer = await have_cluster(plane, OWN, "demo")
        await have_cluster(plane, OTHERS, "other")
        web = Web(plane=plane, issuer=issuer, stranger=Caller(plane, "none", "none"))
        await web.register()
        yield web


@pytest.fixture
async def foreign(tmp_path: Path) -> AsyncIterator[tuple[Web, ForeignIssuer]]:
    """An issuer of somebody else's, which lets itself be asked."""
    async with (
        foreign_issuer(tmp_path, OTHERS) as issuer,
        running(tmp_path, anywhere) as plane,
    ):
        web = Web(
            plane=plane, issuer=issuer.url, signer=OTHERS, stranger=Caller(plane, "none", "none")
        )
        await web.register(thumbprints=issuer.thumbprints)
        yield web, issuer


async def test_a_service_account_has_its_roles_credentials(web: Web) -> None:
    role = await web.role("web", allow("ssm:GetParameter*"))
    answer = await web.assume(role)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/web/pod"
    given = answer.pop("Credentials")
    assert answer == {
        "SubjectFromWebIdentityToken": SUBJECT,
        "AssumedRoleUser": {"AssumedRoleId": f"{role.id}:pod", "Arn": session},
        "Provider": web.arn,
        "Audience": CLIENT,
    }
    bearer = Caller(
        web.plane, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    )
    assert await bearer.arn() == session
    assert await bearer.may("get_parameters_by_path", "ssm", Path="/")
    assert not await bearer.may("describe_parameters", "ssm")


async def test_the_session_ends_when_it_was_asked_to(web: Web) -> None:
    role = await web.role(fields={"max_session": 7200})

    async def seconds(**more: Any) -> float:
        answer = await web.assume(role, **more)
        return float(answer["Credentials"]["Expiration"].timestamp() - time.time())

    assert 3590 < await seconds() <= 3601
    assert 7190 < await seconds(DurationSeconds=7200) <= 7201
    assert await web.refused(role, DurationSeconds=7201) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    assert (await web.refused(role, DurationSeconds=899))[0] == "ValidationError"


async def test_session_policies_narrow_the_session(web: Web) -> None:
    role = await web.role("web", allow("ssm:*"))
    policy = document(allow("ssm:DescribeParameters"))
    answer = await web.assume(role, Policy=policy)
    assert 0 < answer["PackedPolicySize"] < 100
    given = answer["Credentials"]
    bearer = Caller(
        web.plane, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    )
    assert await bearer.may("describe_parameters", "ssm")
    assert not await bearer.may("get_parameters_by_path", "ssm", Path="/")
    assert (await web.refused(role, Policy="{"))[0] == "MalformedPolicyDocument"


async def test_policies_of_the_session_see_whose_it_is(web: Web) -> None:
    key = f"{web.url}:sub"
    once = allow("ssm:DescribeParameters", Condition={"StringEquals": {key: SUBJECT}})
    other = allow("ssm:GetParameters", Condition={"StringEquals": {key: "somebody else"}})
    provider = {"StringEquals": {"aws:FederatedProvider": web.arn}}
    named = allow("ssm:GetParametersByPath", Condition=provider)
    role = await web.role("web", once, other, named)
    given = (await web.assume(role))["Credentials"]
    bearer = Caller(
        web.plane, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    )
    assert await bearer.may("describe_parameters", "ssm")
    assert await bearer.may("get_parameters_by_path", "ssm", Path="/")
    assert not await bearer.may("get_parameters", "ssm", Names=["a"])


def equals(web: Web, **claims: str) -> dict[str, Any]:
    return {"StringEquals": {f"{web.url}:{name}": value for name, value in claims.items()}}


async def test_the_trust_policy_says_whose_service_account_it_must_be(web: Web) -> None:
    role = await web.role(Condition=equals(web, sub=SUBJECT, aud=CLIENT))
    assert await web.assume(role)
    for sub in ("system:serviceaccount:default:other", SUBJECT.upper(), f"{SUBJECT}x"):
        assert await web.refused(role, web.token(sub=sub)) == DENIED


async def test_wildcards_and_methods_are_conditions_like_all_others(web: Web) -> None:
    like = {"StringLike": {f"{web.url}:sub": "system:serviceaccount:default:*"}}
    methods = {"ForAnyValue:StringEquals": {f"{web.url}:amr": "mfa"}}
    role = await web.role(Condition=like | methods)
    assert await web.assume(role, web.token(amr=["pwd", "mfa"]))
    assert await web.refused(role, web.token(amr=["pwd"])) == DENIED
    assert await web.refused(role) == DENIED
    assert await web.refused(role, web.token(amr="mfa", sub="system:other:a:b")) == DENIED


async def test_the_sessions_name_is_a_condition(web: Web) -> None:
    role = await web.role(Condition={"StringEquals": {"sts:RoleSessionName": "pod"}})
    assert await web.assume(role)
    assert await web.refused(role, RoleSessionName="other") == DENIED


async def test_requests_are_conditions_as_everywhere(web: Web) -> None:
    here = await web.role("here", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}})
    there = await web.role("there", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})
    secure = await web.role("secure", Condition={"Bool": {"aws:SecureTransport": "true"}})
    assert await web.assume(here)
    assert await web.refused(there) == DENIED
    assert await web.refused(secure) == DENIED


async def test_nobody_is_told_whether_there_is_the_role(web: Web) -> None:
    stranger = await web.plane.role("deploy", trusting({"AWS": ACCOUNT}))
    missing = iam.Role(
        name="no", path="/", id="", arn=stranger.arn.replace("deploy", "no"), created_at=0, trust=""
    )
    assert await web.refused(stranger) == DENIED
    assert await web.refused(missing) == DENIED


@pytest.mark.parametrize(
    "principal",
    ["*", {"AWS": "*"}, {"AWS": ACCOUNT}, {"Service": "eks.amazonaws.com"}],
)
async def test_only_the_providers_name_lets_its_tokens_in(web: Web, principal: Any) -> None:
    role = await web.plane.role("web", trusting(principal, ASSUME, "sts:*"))
    assert await web.refused(role) == DENIED


async def test_another_provider_is_not_trusted_in_this_ones_place(web: Web) -> None:
    for other in (f"{web.arn}/", web.arn.lower(), provider_arn(OTHER, web.issuer)):
        role = await web.plane.role("web", trusting({"Federated": other}, ASSUME))
        assert await web.refused(role) == DENIED


async def test_the_action_must_be_the_one_that_is_trusted(web: Web) -> None:
    role = await web.plane.role("web", trusting({"Federated": web.arn}, "sts:AssumeRole"))
    assert await web.refused(role) == DENIED


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, None])
async def test_what_is_denied_is_denied_to_everybody(web: Web, principal: Any) -> None:
    who = {"Federated": web.arn}
    denied = {**trusting(principal or who, ASSUME), "Effect": "Deny"}
    role = await web.plane.role("web", trusting(who, ASSUME))
    both = document(trusting(who, ASSUME), denied)
    changed = iam.Role(name=role.name, path="/", id=role.id, arn=role.arn, created_at=0, trust=both)
    assert await web.assume(role)
    await web.plane.put(iam.ROLE, ACCOUNT, "web", changed)
    assert await web.refused(role) == DENIED


async def test_a_subject_that_looks_like_a_role_is_nobody_else(web: Web) -> None:
    victim = await web.plane.role("victim", trusting({"AWS": ACCOUNT}))
    role = await web.plane.role("web", trusting({"AWS": victim.arn}, ASSUME))
    named = await web.plane.role("named", trusting({"AWS": victim.id}, ASSUME))
    for subject in (victim.arn, victim.id, f"{victim.id}:x", ACCOUNT, "*"):
        for each in (role, named):
            assert await web.refused(each, web.token(sub=subject)) == DENIED


async def test_the_issuer_is_registered_in_the_roles_account(web: Web) -> None:
    role = await web.role()
    unknown = "No OpenIDConnect provider found in your account for "
    for issuer in (f"{web.issuer}/", web.issuer.replace("https", "http"), web.url, "a"):
        expected = ("InvalidIdentityToken", unknown + issuer)
        assert await web.refused(role, web.token(iss=issuer)) == expected
    trust = trusting({"Federated": provider_arn(OTHER, web.issuer)}, ASSUME)
    elsewhere = await web.plane.role("web", trust, account=OTHER)
    assert await web.refused(elsewhere) == ("InvalidIdentityToken", unknown + web.issuer)
    await web.register(OTHER)
    assert await web.assume(elsewhere)
    await web.plane.delete(iam.OIDC_PROVIDER, web.url)
    assert await web.refused(role) == ("InvalidIdentityToken", unknown + web.issuer)


async def test_the_token_is_for_a_client_of_the_provider(web: Web) -> None:
    role = await web.role()
    incorrect = ("InvalidIdentityToken", "Incorrect token audience")
    assert await web.refused(role, web.token(aud="https://kubernetes.default.svc")) == incorrect
    assert await web.refused(role, web.token(azp="other")) == incorrect
    assert (await web.assume(role, web.token(aud=CLIENT)))["Audience"] == CLIENT
    party = web.token(aud=["other", "another"], azp=CLIENT)
    assert (await web.assume(role, party))["Audience"] == CLIENT
    assert await web.refused(role, web.token(aud=[CLIENT, "other"])) == (
        "InvalidIdentityToken",
        "Token audience contains more than one audience while authorized party is not present",
    )
    await web.register(client_ids=())
    assert await web.refused(role) == incorrect


async def test_an_expired_token_is_told_from_a_false_one(web: Web) -> None:
    role = await web.role()
    code, message = await web.refused(role, web.token(exp=int(time.time()) - 1))
    assert code == "ExpiredTokenException"
    assert message.startswith("Token expired: current date/time ")
    for name in ("nbf", "iat"):
        future = web.token(**{name: time.time() + LEEWAY_SECONDS + 60})
        code, message = await web.refused(role, future)
        assert (code, message[:22]) == ("InvalidIdentityToken", "Token is not valid yet")


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat"])
async def test_claims_that_must_be_there_are_missed(web: Web, name: str) -> None:
    role = await web.role()
    missing = ("InvalidIdentityToken", f"Missing a required claim: {name}")
    for value in (LACKING, None, {}, True, [], ""):
        assert await web.refused(role, web.token(**{name: value})) == missing


async def test_a_subject_has_255_characters_at_most(web: Web) -> None:
    role = await web.role()
    assert await web.assume(role, web.token(sub="a" * 255))
    assert await web.assume(role, web.token(sub="a"))
    assert (await web.refused(role, web.token(sub="a" * 256)))[0] == "InvalidIdentityToken"


async def test_a_token_is_a_jwt(web: Web) -> None:
    role = await web.role()
    for text in ("nonsense", "a.b.c", "....", web.token() + ".x", "x" * 20_000):
        assert await web.refused(role, text) == NO_JWT
    assert (await web.refused(role, "x" * 20_001))[0] == "ValidationError"
    assert await web.assume(role, f"{web.token()}\n")


async def test_nothing_but_the_clusters_own_signature_is_believed(web: Web) -> None:
    role = await web.role()
    claims = web.claims()
    mine = OWN.key.id
    for text in (
        OTHERS.token(claims, kid=mine),
        OTHERS.token(claims, kid=""),
        OWN.confused(claims),
        OWN.confused(claims, "RS256"),
        OWN.token(claims, alg="none"),
        OWN.token(claims, alg="ES256"),
        OWN.token(claims, alg="RS512"),
        f"{unsigned(claims, {'alg': 'none'})}.",
        f"{unsigned(claims, {'alg': 'none', 'kid': mine})}.AA",
        web.token().rpartition(".")[0] + ".",
    ):
        assert await web.refused(role, text) == NOT_SIGNED
    assert await web.refused(role, OTHERS.token(claims)) == NO_KEY


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_claims_are_read_or_refused(data: st.DataObject) -> None:
    """Before a signature is looked at, what a stranger sends makes nothing but AWS's errors."""
    values = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=5)
        | st.lists(st.text(max_size=3) | st.integers(), max_size=3)
        | st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)
    )
    names = st.sampled_from(["iss", "sub", "aud", "azp", "amr", "exp", "iat", "nbf"])
    base = {"iss": "https://a", "sub": "b", "aud": "c", "exp": 1, "iat": 0}
    claims = {**base, **data.draw(st.dictionaries(names, values))}
    text = unsigned(claims, {"alg": "RS256"}) + ".AA"
    try:
        token = read_web_token(text)
        check_times(token, 0.5)
    except AwsError as error:
        assert error.code in {"InvalidIdentityToken", "ExpiredTokenException"}
    else:
        assert isinstance(token.subject, str)
        assert json.dumps(token.audience)


async def test_a_cluster_that_is_gone_signs_no_more(web: Web) -> None:
    role = await web.role()

    def forget(tx: Any) -> None:
        tx.delete(eks.CLUSTER_STATUS, ACCOUNT, "us-east-1", "demo")

    await web.plane.store.transact(forget)
    assert (await web.refused(role))[0] == "IDPCommunicationError"


async def test_what_is_not_built_is_said_to_be(web: Web) -> None:
    role = await web.role()
    assert (await web.refused(role, ProviderId="www.amazon.com"))[0] == "NotImplemented"
    tags = {"https://aws.amazon.com/tags": {"principal_tags": {"a": ["b"]}}}
    assert (await web.refused(role, web.token(**tags)))[0] == "NotImplemented"


@pytest.mark.parametrize("arn", [f"arn:aws:iam::{ACCOUNT}:user/ann", "not an ARN at all, no"])
async def test_the_arn_is_a_roles(web: Web, arn: str) -> None:
    role = await web.role()
    assert await web.refused(role, RoleArn=arn) == ("ValidationError", "Request ARN is invalid")


async def test_with_open_doors_the_token_must_still_be_signed(tmp_path: Path) -> None:
    async with running(tmp_path, auth="open") as plane:
        issuer = await have_cluster(plane, OWN, "demo")
        web = Web(plane=plane, issuer=issuer, stranger=Caller(plane, "none", "none"))
        await web.register()
        role = await plane.role("deploy", trusting({"AWS": ACCOUNT}))
        assert await web.assume(role)
        assert await web.refused(role, OTHERS.token(web.claims(), kid=OWN.key.id)) == NOT_SIGNED


async def test_a_foreign_issuers_tokens_are_verified_with_its_keys(
    foreign: tuple[Web, ForeignIssuer],
) -> None:
    web, issuer = foreign
    role = await web.role(Condition=equals(web, sub=SUBJECT))
    for _ in range(2):
        assert (await web.assume(role))["Provider"] == web.arn
    assert issuer.asked == [CONFIGURATION, "/keys"]
    assert await web.refused(role, OWN.token(web.claims(), kid=OTHERS.key.id)) == NOT_SIGNED
    assert await web.refused(role, OTHERS.confused(web.claims())) == NOT_SIGNED
    assert await web.refused(role, OWN.token(web.claims())) == NO_KEY


async def test_an_issuer_is_not_asked_for_a_token_that_will_not_do(
    foreign: tuple[Web, ForeignIssuer],
) -> None:
    web, issuer = foreign
    role = await web.role()
    for token in (web.token(aud="other"), web.token(exp=1), web.token(iss="https://other.example")):
        await web.refused(role, token)
    assert issuer.asked == []


async def test_a_foreign_issuers_certificate_must_be_vouched_for(
    foreign: tuple[Web, ForeignIssuer],
) -> None:
    web, issuer = foreign
    role = await web.role()
    await web.register(thumbprints=(secrets.token_hex(20),))
    assert await web.refused(role) == (
        "InvalidIdentityToken",
        "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
    )
    assert issuer.asked == []


async def test_a_foreign_issuer_that_publishes_nothing_useful_is_told_from_one_that_is_away(
    foreign: tuple[Web, ForeignIssuer],
) -> None:
    web, issuer = foreign
    role = await web.role()
    issuer.say(CONFIGURATION, b"{}")
    assert await web.refused(role) == NO_KEY
    issuer.say(CONFIGURATION, b"", "500 Oh")
    await web.register(thumbprints=(*issuer.thumbprints, "0" * 40))
    code, message = await web.refused(role)
    assert code == "IDPCommunicationError"
    assert "could not be reached" in message


async def test_issuers_on_this_machine_are_not_asked(tmp_path: Path) -> None:
    async with foreign_issuer(tmp_path, OTHERS) as issuer, running(tmp_path) as plane:
        stranger = Caller(plane, "none", "none")
        web = Web(plane=plane, issuer=issuer.url, signer=OTHERS, stranger=stranger)
        await web.register(thumbprints=issuer.thumbprints)
        assert (await web.refused(await web.role()))[0] == "IDPCommunicationError"
        assert issuer.asked == []
