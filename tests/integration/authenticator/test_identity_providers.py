"""Whom an API server takes tokens of its cluster's OpenID Connect provider to be of."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from integration.authenticator.api_server import NAME, REGION, ApiServer, running
from integration.oidc.foreign_issuer import ForeignIssuer, foreign_issuer

from longshore.model.eks_parts import IDENTITY_PROVIDER, IdentityProvider
from longshore.oidc import https
from longshore.testing.web_tokens import Signer

SIGNER, OTHER = Signer(0), Signer(1)
REFUSED = {"authenticated": False, "error": "the token is not accepted"}


class Harbour:
    """Cluster `demo`, which trusts an issuer on this machine."""

    def __init__(self, server: ApiServer, issuer: ForeignIssuer) -> None:
        self.server = server
        self.issuer = issuer

    async def trust(self, **fields: Any) -> None:
        provider = IdentityProvider(
            **{
                "cluster": NAME,
                "name": "harbour",
                "arn": "",
                "id": "",
                "issuer": self.issuer.url,
                "client_id": "kubernetes",
                **fields,
            }
        )
        await self.server.put(IDENTITY_PROVIDER, REGION, f"{NAME}/harbour", provider)

    async def authenticate(self, signer: Signer = SIGNER, **claims: Any) -> dict[str, Any]:
        usual = {
            "iss": self.issuer.url,
            "aud": "kubernetes",
            "sub": "ann",
            "exp": self.server.clock.now() + 600,
        }
        return await self.server.authenticate(signer.token({**usual, **claims}))


@pytest.fixture
async def harbour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harbour]:
    """The machine trusts the issuer's authority, and may connect to its own addresses."""
    async with (
        foreign_issuer(tmp_path, SIGNER) as issuer,
        running(tmp_path, reach=lambda address: True) as server,
    ):
        trusting = ssl.create_default_context(cadata=issuer.authority.certificate.decode())
        monkeypatch.setattr(https, "system_authorities", lambda: trusting)
        await server.cluster()
        yield Harbour(server, issuer)


async def test_a_token_of_the_provider_is_its_subjects_with_the_issuer_before_it(
    harbour: Harbour,
) -> None:
    await harbour.trust()
    user = (await harbour.authenticate())["user"]
    assert user == {"username": f"{harbour.issuer.url}#ann", "uid": ""}


async def test_groups_and_names_have_the_prefixes_that_were_asked_for(harbour: Harbour) -> None:
    await harbour.trust(
        username_claim="name", username_prefix="oidc:", groups_claim="teams", groups_prefix="team:"
    )
    user = (await harbour.authenticate(name="Ann", teams=["pilots", "crew"]))["user"]
    assert user == {"username": "oidc:Ann", "uid": "", "groups": ["team:pilots", "team:crew"]}


async def test_nobody_is_known_by_tokens_before_a_provider_is_associated(harbour: Harbour) -> None:
    assert await harbour.authenticate() == REFUSED
    assert harbour.issuer.asked == []
    await harbour.trust(deleted_at=1.0)
    assert await harbour.authenticate() == REFUSED


async def test_a_token_that_another_signed_is_refused(harbour: Harbour) -> None:
    await harbour.trust()
    assert await harbour.authenticate(OTHER) == REFUSED
    token = SIGNER.confused({"iss": harbour.issuer.url, "aud": "kubernetes", "sub": "ann"})
    assert await harbour.server.authenticate(token) == REFUSED


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example.com"},
        {"aud": "another"},
        {"aud": ["another", "kubernetes-2"]},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"exp": None},
        {"nbf": 1e11},
        {"sub": ""},
        {"sub": ["ann"]},
        {"hd": "elsewhere"},
    ],
)
async def test_a_token_that_says_the_wrong_thing_is_refused(
    harbour: Harbour, claims: dict[str, Any]
) -> None:
    await harbour.trust(required_claims=(("hd", "harbour"),))
    assert (await harbour.authenticate(hd="harbour"))["authenticated"]
    assert await harbour.authenticate(**{"hd": "harbour", **claims}) == REFUSED


async def test_strangers_tokens_have_nobody_asked_for_keys(harbour: Harbour) -> None:
    await harbour.trust()
    await harbour.authenticate(OTHER, iss="https://elsewhere.example.com")
    await harbour.authenticate(OTHER, aud="another")
    assert harbour.issuer.asked == []


async def test_an_email_that_is_not_verified_is_nobodys(harbour: Harbour) -> None:
    await harbour.trust(username_claim="email")
    user = (await harbour.authenticate(email="ann@example.com"))["user"]
    assert user["username"] == "ann@example.com"
    for verified in (False, "true"):
        said = await harbour.authenticate(email="ann@example.com", email_verified=verified)
        assert said == REFUSED


async def test_groups_that_are_no_names_let_nobody_in(harbour: Harbour) -> None:
    await harbour.trust(groups_claim="groups")
    assert (await harbour.authenticate(groups="one"))["user"]["groups"] == ["one"]
    assert (await harbour.authenticate())["authenticated"]
    assert await harbour.authenticate(groups=[1]) == REFUSED


async def test_aws_tokens_are_taken_beside_the_providers(harbour: Harbour) -> None:
    await harbour.trust()
    ann, keys = await harbour.server.user("ann")
    await harbour.server.entry(ann)
    assert (await harbour.server.user_of(keys))["username"] == ann.arn


async def test_an_issuer_of_this_installation_is_not_asked(harbour: Harbour) -> None:
    """Nor could it be: its name is no public address."""
    issuer = "https://oidc.eks.example.com/id/1"
    await harbour.server.status("other", id="1", issuer=issuer, token_key=OTHER.pem)
    await harbour.trust(issuer=issuer)
    user = (await harbour.authenticate(OTHER, iss=issuer))["user"]
    assert user["username"] == f"{issuer}#ann"
    assert await harbour.authenticate(SIGNER, iss=issuer) == REFUSED


async def test_an_issuer_at_an_address_that_is_not_public_is_not_asked(tmp_path: Path) -> None:
    async with foreign_issuer(tmp_path, SIGNER) as issuer, running(tmp_path) as server:
        await server.cluster()
        harbour = Harbour(server, issuer)
        await harbour.trust()
        assert await harbour.authenticate() == REFUSED
        assert issuer.asked == []
