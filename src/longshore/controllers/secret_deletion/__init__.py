"""Secrets leave the store when their recovery window is over.

Enters: records of secrets. Leaves: fewer of them.
"""

from longshore.controllers.secret_deletion.controller import SecretDeletion

__all__ = ["SecretDeletion"]
