"""Sessions with agents: one ACS websocket a container instance, and its TCS channel.

Enters: tasks placed on the instance, the host's network and EC2 instances, agents' acknowledgements
and health. Leaves: payloads with credentials, network messages, what EC2 instances' metadata say
(`instances`), the volumes that the host is to have (`volumes`), manifests; `Connection`, the
containers' health, what has become of volumes and snapshots. `AgentSessions` is what `main` runs
and hands to the gateway:

    sessions = AgentSessions(surroundings, identity)
    gateway routes: {"/ws": sessions.acs, "/tcs": sessions.tcs}
    await sessions.run()            # beside the controllers, until cancelled
"""

from longshore.controllers.session.sessions import AgentSessions

__all__ = ["AgentSessions"]
