"""The one endpoint of every API: HTTP and HTTPS in front of the services.

Enters: connections; the services, store, identity, clock and ids that `main` hands in.
Leaves: AWS's answers, access records, metrics. `app.py` states the whole path of a request as one
list; each step is a file of `handlers`.
"""
