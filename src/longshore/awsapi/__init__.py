"""AWS's wire protocols, from botocore's service models: what stands between bytes and plain values.

Enters: HTTP requests as values, and models (read lazily, compiled once a shape into closures).
Leaves: validated requests as dicts, responses and errors in each protocol's form, signatures
verified (`sigv4`) and made (`signing`), and `client`, a small asynchronous caller of the JSON
services for Longshore's own processes. Knows nothing of the store or of who anybody is.
"""
