"""What a cluster has written before it had its KMS key is written anew, with it.

Enters: clusters whose API server encrypts (`ClusterStatus.encryption_key`). Leaves: secrets as they
are, encrypted in etcd; `ClusterStatus.rewritten_key`, and the end of the update that asked for it.
"""

from longshore.controllers.eks_encryption.controller import EksEncryption

__all__ = ["EksEncryption"]
