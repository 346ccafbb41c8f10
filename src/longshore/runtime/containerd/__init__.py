"""containerd as a runtime: runc for instances, gVisor for Fargate, behind `runtime.interface`.

Enters: specs. Leaves: containers in a containerd of Longshore's own (`daemon.py`), in the
containerd namespace `longshore-<installation id>`. `spec.py` builds OCI specs (pure), `api.py`
calls containerd, `pulling.py` fetches images, `cgroups.py` bounds sandboxes, `runtime.py` puts
them together (`open_containerd`). Nothing is imported here: `daemon` starts without gRPC.
"""
