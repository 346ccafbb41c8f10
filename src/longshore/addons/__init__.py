"""EKS add-ons as values: which there are, how they can be configured, and the objects they are.

Enters: a cluster's settings, a configuration as the API is given it. Leaves: versions and schemas
for the API to show, Kubernetes objects for a controller to apply, contents of the images that their
pods are of. Each add-on has a module of its own, with upstream's objects as Python data.
"""

from longshore.addons.catalog import ADDONS, Addon, AddonVersion
from longshore.addons.settings import Settings

__all__ = ["ADDONS", "Addon", "AddonVersion", "Settings"]
