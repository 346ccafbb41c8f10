"""The output of containers, and the awslogs driver that ships it.

Enters: append-only files `stdout` and `stderr` in a container's log directory, the container's log
configuration, credentials of the task's execution role. Leaves: PutLogEvents calls, and a
directory without what has been acknowledged.

`lines` cuts bytes into events, the same way each time, so that an event keeps its number; with
that number CloudWatch Logs leaves out what it has already (`services.logs.positions`). `tail`
follows one file, `positions` remembers on disk what was acknowledged, `streams` speaks to the API,
`shipping` holds every container's part.
"""
