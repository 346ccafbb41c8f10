"""Proofs that the authenticator itself let a user in, lately, for where nothing else tells.

A request that comes through an aggregated API server has the user's extras with names in lower case
and may lack the UID ("Configure the Aggregation Layer"); so has one of somebody who impersonates
the user, whose extras are whatever they like. A proof is an extra that only the authenticator can
make: a code over the cluster, the user and the principal, keyed with the cluster's secret. Others
may see it (webhooks and aggregated API servers are shown users' extras), so it is good for as long
as a request takes to come back alone.
"""

import hashlib
import hmac
import re

EXTRA = "longshore.internal/access-proof"
"""The extra's name, in lower case from the first on."""
LIFETIME_SECONDS = 60
"""An API server takes a token's user from its memory for five seconds before it asks again."""
_FORM = re.compile("([0-9]{1,12})[.]([0-9a-f]{64})")


def proof(secret: str, said: tuple[str, ...], now: float) -> str:
    """A proof of `said`; `secret` is what the API server of the cluster shows."""
    return f"{int(now)}.{_code(secret, said, int(now))}"


def proves(found: str, secret: str, said: tuple[str, ...], now: float) -> bool:
    """Whether this is a proof of `said` that is still good."""
    form = _FORM.fullmatch(found)
    if form is None or not -LIFETIME_SECONDS <= now - int(form[1]) <= LIFETIME_SECONDS:
        return False
    return hmac.compare_digest(form[2], _code(secret, said, int(form[1])))


def _code(secret: str, said: tuple[str, ...], made: int) -> str:
    key = hmac.digest(secret.encode(), b"longshore access proof", "sha256")
    # No two lists of texts give the same bytes.
    content = "".join(f"{len(text)}:{text}" for text in (str(made), *said))
    return hmac.new(key, content.encode(), hashlib.sha256).hexdigest()
