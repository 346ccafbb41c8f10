"""Messages of containerd's gRPC API: the .proto files state what Longshore uses of it, with
upstream's names and field numbers; the rest is generated from them:

    .venv/bin/python -m grpc_tools.protoc -Isrc --python_out=src --pyi_out=src \\
        src/longshore/runtime/containerd/generated/*.proto
"""
