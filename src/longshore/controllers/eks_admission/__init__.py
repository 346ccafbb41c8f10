"""The webhook of pods in every EKS cluster.

Enters: clusters whose API servers answer. Leaves: a MutatingWebhookConfiguration in each, which has
the API server ask `longshore.authenticator` about pods that are to be made.
"""

from longshore.controllers.eks_admission.controller import EksAdmission

__all__ = ["EksAdmission"]
