"""The host agent: runs this host's tasks, programs its fabric, ships its logs.

Enters: ACS messages of the control plane (`session`), what containerd still runs, the agent's own
files under `<data_dir>/agent` (`records`, `outbox`, log positions). Leaves: containers, state
changes, telemetry, log events. It speaks to the control plane only through the signed API and the
agent's websockets.

What asks inside tasks is answered by `endpoints`, what asks inside EC2 instances by `imds`. EBS
volumes, and their devices in EC2 instances, are `volumes`'.

`agent` runs it all (`run_agent`); `session` is the command channel; `engine` knows the tasks;
`runner` brings one up and takes it down by the ordered `hooks`; `containers` looks after one
container. Each of them may be killed between any two lines.
"""
