"""The OIDC issuers of this installation's clusters, whose tokens need no network to be verified."""

from longshore.model.eks import CLUSTER_STATUS
from longshore.store.interface import Reader


def own_token_key(reader: Reader, issuer: str) -> str:
    """The public key (PEM) of an issuer that is one of the clusters'; empty of any other."""
    for record in reader.scan(CLUSTER_STATUS):
        if record.value.token_key and record.value.issuer == issuer:
            return record.value.token_key
    return ""
