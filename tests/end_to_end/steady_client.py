"""A client of one API server that never stops: it writes and reads every 100 ms, and watches.

It speaks HTTPS itself, over a connection that it keeps as long as the server does, and tries
nothing again: what is refused is counted.
"""

import base64
import contextlib
import http.client
import json
import ssl
import threading
import time
from typing import NamedTuple
from urllib.parse import urlencode

PERIOD_SECONDS = 0.1
TIMEOUT_SECONDS = 10
PATH = "/api/v1/namespaces/default/configmaps"
NAME = "steady"
MERGE = "application/merge-patch+json"
LAST = "z"
WATCH_SECONDS = 30
"""For so long the watch may take to tell of the last write."""


class Refusal(NamedTuple):
    """A request that was not answered with a success: the how-manieth, from when to when (seconds),
    and how."""

    number: int
    began: float
    ended: float
    how: str


class SteadyClient:
    """Writes one key after the other into a ConfigMap, each of which it reads at once.

    As a context it is at work; afterwards its members say what became of that.
    """

    def __init__(self, cluster):
        described = cluster.describe()
        self._host = described["endpoint"].removeprefix("https://")
        authority = base64.b64decode(described["certificateAuthority"]["data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        self._token = cluster.token()
        self._over, self._ended = threading.Event(), threading.Event()
        self._worker = threading.Thread(target=self._work)
        self._watcher = threading.Thread(target=self._watch)
        self.acknowledged: list[str] = []
        self.kept: dict[str, str] = {}
        """What is there in the end."""
        self.lost: list[str] = []
        """Acknowledged writes that a later answer lacked."""
        self.refusals: dict[str, list[Refusal]] = {"PATCH": [], "GET": [], "watch": []}
        self.longest = 0.0
        """Seconds from one write that was acknowledged to the next, at the most."""
        self.seen: list[str] = []
        """Keys in the order in which the watch told of them."""
        self.skipped: list[list[str]] = []
        """Keys of which the watch told together: of changes in between it said nothing."""
        self.watches = 0

    def __enter__(self):
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": {}}
        status, answer = self._once("POST", PATH, made, "application/json")
        assert status == 201, answer
        self._version = answer["metadata"]["resourceVersion"]
        self._worker.start()
        self._watcher.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._worker.join()
        self.kept = self._once("GET", f"{PATH}/{NAME}")[1]["data"]
        self._once("PATCH", f"{PATH}/{NAME}", {"data": {LAST: ""}}, MERGE)
        self._watcher.join(WATCH_SECONDS)
        self._ended.set()
        self._watcher.join()
        self._once("DELETE", f"{PATH}/{NAME}")

    def _connection(self):
        return http.client.HTTPSConnection(self._host, timeout=TIMEOUT_SECONDS, context=self._tls)

    def _headers(self, kind=""):
        headers = {"Authorization": f"Bearer {self._token}"}
        return headers | ({"Content-Type": kind} if kind else {})

    def _once(self, *request):
        """On a connection of its own."""
        with contextlib.closing(self._connection()) as connection:
            return self._call(connection, *request)

    def _call(self, connection, method, path, body=None, kind=""):
        content = json.dumps(body) if body is not None else None
        connection.request(method, path, content, self._headers(kind))
        response = connection.getresponse()
        told = response.read().decode()
        return response.status, json.loads(told) if told.startswith("{") else told

    def _work(self):
        with contextlib.closing(self._connection()) as connection:
            self._write_and_read(connection)

    def _write_and_read(self, connection):
        number, last, due = 0, time.monotonic(), time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            number, due = number + 1, max(due, time.monotonic() - PERIOD_SECONDS) + PERIOD_SECONDS
            key = f"n{number:05}"
            if self._try(connection, number, "PATCH", {"data": {key: "written"}}) is not None:
                now = time.monotonic()
                self.longest, last = max(self.longest, now - last), now
                self.acknowledged.append(key)
            answer = self._try(connection, number, "GET")
            if answer is not None:
                self.lost += set(self.acknowledged) - set(answer.get("data", {}))

    def _try(self, connection, number, method, body=None):
        """The answer, of one attempt; None where it was no success."""
        began = time.monotonic()
        try:
            status, answer = self._call(connection, method, f"{PATH}/{NAME}", body, MERGE)
            if status == 200:
                return answer
            how = f"{status} {answer}"
        except (OSError, http.client.HTTPException, ValueError) as failure:
            connection.close()
            how = repr(failure)
        self.refusals[method].append(Refusal(number, began, time.monotonic(), how))
        return None

    def _watch(self):
        known: set[str] = set()
        while LAST not in known and not self._ended.wait(PERIOD_SECONDS):
            began = time.monotonic()
            try:
                for told in self._events():
                    new = sorted(set(told["data"]) - known)
                    known.update(new)
                    self.seen += new
                    if len(new) != 1:
                        self.skipped.append(new)
                    self._version = told["metadata"]["resourceVersion"]
                    if LAST in known:
                        return
            except (OSError, http.client.HTTPException, ValueError, Rejected) as failure:
                told = Refusal(self.watches, began, time.monotonic(), repr(failure))
                self.refusals["watch"].append(told)

    def _events(self):
        """Objects, from the last one that was told of on."""
        query = urlencode(
            {
                "watch": "true",
                "resourceVersion": self._version,
                "fieldSelector": f"metadata.name={NAME}",
            }
        )
        connection = self._connection()
        try:
            connection.request("GET", f"{PATH}?{query}", headers=self._headers())
            response = connection.getresponse()
            if response.status != 200:
                raise Rejected(response.status, response.read())
            self.watches += 1
            for line in response:
                event = json.loads(line)
                if event["type"] != "MODIFIED":
                    raise Rejected(event)
                yield event["object"]
        finally:
            connection.close()


class Rejected(Exception):
    """The watch was refused, or ended with an error."""
