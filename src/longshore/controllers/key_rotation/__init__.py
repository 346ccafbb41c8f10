"""KMS keys leave the store when their waiting period is over, and get new material when it is time.

Enters: records of keys. Leaves: fewer of them, with their aliases and grants; more material.
"""

from longshore.controllers.key_rotation.controller import KeyRotation

__all__ = ["KeyRotation"]
