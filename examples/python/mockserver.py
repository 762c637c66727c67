"""A mock server and its control API, with nothing but the standard library."""

import json
import os
import subprocess
import urllib.error
import urllib.request

# The server is on this machine or in the next container: no proxy of the environment is asked.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def call(method, url, body=None, headers=()):
    """Sends JSON and returns the status and the JSON of the reply, whatever the status."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **dict(headers)}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with _open(request, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as reply:
        with reply:
            return reply.code, json.load(reply)


class World:
    """A world on a mock server: `url` and the base URLs for clients of the two services."""

    def __init__(self, url):
        self.url = url
        self.machineid_base_url = url
        self.machins_base_url = f"{url}/api/v1"

    def control(self, method, path, body=None):
        """Calls the control API, and raises if it refuses."""
        status, reply = call(method, f"{self.url}/_mock/{path}", body)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {reply}")
        return reply

    def reset(self):
        self.control("POST", "reset")

    def org(self, **settings):
        """Creates an org and returns it with its key."""
        return self.control("POST", "machineid/orgs", {"plan": "pro", **settings})

    def agent(self, **settings):
        """Creates an agent and returns it with its key."""
        return self.control("POST", "machins/agents", settings)

    def fault(self, **fault):
        return self.control("POST", "faults", fault)

    def wait_for_requests(self, count=1, timeout_ms=5000, **match):
        body = {"match": match, "count": count, "timeout_ms": timeout_ms}
        return self.control("POST", "requests/wait", body)["requests"]

    def advance(self, seconds):
        self.control("POST", "clock/advance", {"seconds": seconds})


class Server(World):
    """A server of its own process, which ends when this one does: its stdin is closed then.

    If this one is killed, a child that it has forked holds the pipe open until it ends, too.
    """

    def __init__(self, *flags):
        program = os.environ.get("MACHINS") or "machins"
        command = [program, "--json", "mock", "serve", "--port", "0", "--log", "off"]
        self.process = subprocess.Popen(
            [*command, "--until-stdin-closes", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        # The first line is printed when the server is ready.
        super().__init__(json.loads(self.process.stdout.readline())["url"])

    def stop(self):
        # A child that was forked may hold the pipe open.
        self.process.terminate()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
