"""What the API servers of EKS clusters ask: whom a token belongs to, and what a policy allows.

Enters: Kubernetes' webhooks, a TokenReview to `<PREFIX>/{account}/{region}/{cluster}/authenticate`
and a SubjectAccessReview to `.../authorize`, from API servers that show the secret of their cluster
(`ClusterStatus.webhook_digest`). Leaves: the same with a status. Nothing is written; users and
roles are asked of `services.interface.Identity`, access entries read from the store.

Beside them, what everybody may ask who verifies a cluster's tokens: the documents of its OIDC
issuer, below `<ISSUERS>/{id of the cluster}`.
"""

from longshore.authenticator.application import PREFIX, authenticator
from longshore.authenticator.issuer import ISSUERS, issuers

__all__ = ["ISSUERS", "PREFIX", "authenticator", "issuers"]
