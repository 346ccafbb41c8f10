"""What an issuer publishes ("OpenID Connect Discovery 1.0"): where its keys are, and the keys."""

from typing import Any

from longshore.oidc.keys import Key, shown

CONFIGURATION = "/.well-known/openid-configuration"
"""Where the configuration is, below the issuer's URL."""
KEYS = "/keys"
"""Where our own issuers' key sets are, as EKS has them."""


def configuration(issuer: str) -> dict[str, Any]:
    """The configuration of a cluster's issuer: nobody logs in there, service accounts have tokens
    already."""
    return {
        "issuer": issuer,
        "jwks_uri": issuer + KEYS,
        "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "claims_supported": ["sub", "iss"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def key_set(key: Key) -> dict[str, Any]:
    """The set of one key."""
    return {"keys": [shown(key)]}
