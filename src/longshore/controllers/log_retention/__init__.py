"""Log events leave telemetry when their group's retention is over, or their group or stream is.

Enters: records of log groups and streams. Leaves: fewer events in the log store.
"""

from longshore.controllers.log_retention.controller import LogRetention

__all__ = ["LogRetention"]
