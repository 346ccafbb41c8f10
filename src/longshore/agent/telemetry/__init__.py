"""What the control plane is told of running tasks over TCS: metrics, health, the host's runtime.

Enters: the engine's tasks, samples of what they use. Leaves: signed frames on one websocket, which
is opened again whenever it ends. Nothing is kept: what was not heard is said again as it then is.
"""

from longshore.agent.telemetry.session import publish_telemetry

__all__ = ["publish_telemetry"]
