"""What is appended and never changed: log events now, metrics and usage later.

Enters: batches of events under the ids of a log group and a log stream. Leaves: pages of events.
`interface.py` defines the terms; `logs.py` keeps them in a SQLite file of their own, so that a
flood of logs never delays a record of the store. Which groups exist is the store's business, not
this room's.
"""
