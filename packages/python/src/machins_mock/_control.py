"""Calls of the control API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

# The server is on this machine or in the next container: no proxy of the environment is asked.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class MockServerError(Exception):
    """The server refused a call of the control API, or could not be started."""

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        #: HTTP status of the refusal; ``None`` if there was no reply.
        self.status: int | None = status
        #: Stable code of the refusal, such as ``DUPLICATE``; ``None`` if there was no reply.
        self.code: str | None = code


class WaitTimeoutError(MockServerError, TimeoutError):
    """What was waited for did not happen within its time."""

    def __init__(self, reply: Mapping[str, Any]) -> None:
        #: Records that matched, which were too few.
        self.matched: list[dict[str, Any]] = reply["matched"]
        #: Records that came instead, the newest 50, oldest first.
        self.others: list[dict[str, Any]] = reply["others"]
        lines = "".join(f"\n  {_summary(record)}" for record in self.others)
        super().__init__(reply["detail"] + lines, status=408, code="TIMEOUT")


def _summary(record: Mapping[str, Any]) -> str:
    if "event" in record:
        return f"{record['event']} to {record['url']}: {record['status']}"
    return f"{record['method']} {record['path']}: {record['status']}"


def call(method: str, url: str, body: Any = None, *, time_limit: float = 30) -> Any:
    """Calls the control API and returns the JSON of its reply."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with _open(request, timeout=time_limit) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as refusal:
        with refusal:
            text = refusal.read().decode(errors="replace")
        raise _error(method, url, refusal.code, text) from None
    except urllib.error.URLError as error:
        raise MockServerError(f"{method} {url}: {error.reason}") from error


def _error(method: str, url: str, status: int, text: str) -> MockServerError:
    try:
        problem = json.loads(text)
        detail, code = problem["detail"], problem["code"]
    except (ValueError, LookupError, TypeError):
        # Something else than a mock server answers at this address.
        return MockServerError(f"{method} {url}: status {status}: {text[:200]}", status=status)
    if code == "TIMEOUT":
        return WaitTimeoutError(problem)
    return MockServerError(f"{method} {url}: {detail}", status=status, code=code)
