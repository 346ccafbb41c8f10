"""What the API servers of EKS clusters ask: whom a token belongs to, what a policy allows, and what
becomes of a pod that is to be made.

Enters: Kubernetes' webhooks, a TokenReview to `<PREFIX>/{account}/{region}/{cluster}/authenticate`
and a SubjectAccessReview to `.../authorize`, from API servers that show the secret of their cluster
(`ClusterStatus.webhook_digest`), and an AdmissionReview of a pod to `.../mutate-pods/{proof}`.
Leaves: the same with a status, a patch of the pod. Nothing is written; users and roles are asked of
`services.interface.Identity`, access entries and associations read from the store, and objects of
the cluster (service accounts, the ConfigMap `aws-auth`) through `ClusterObjects`.

Beside them, what everybody may ask who verifies a cluster's tokens: the documents of its OIDC
issuer, below `<ISSUERS>/{id of the cluster}`.
"""

from longshore.authenticator.application import PREFIX, authenticator
from longshore.authenticator.issuer import ISSUERS, issuers
from longshore.authenticator.pods import ClusterObjects

__all__ = ["ISSUERS", "PREFIX", "ClusterObjects", "authenticator", "issuers"]
