"""A world, used as the suite of a user would."""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from machins_mock import MockServer, MockServerError, Org, WaitTimeoutError, World, _server

# Starts a server, and forks a child that lives until its stdin is closed.
FORKS = """
import os, signal, sys
from machins_mock import MockServer

server = MockServer()
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print(server._process.pid, flush=True)
signal.pause()
"""


def send(
    method: str, url: str, headers: Mapping[str, str], body: Any = None
) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **headers}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data, headers, method=method)
        ) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as reply:
        with reply:
            return reply.code, json.load(reply)


def device(world: World, org: Org, endpoint: str) -> tuple[int, dict[str, Any]]:
    url = f"{world.machineid_base_url}/api/v1/devices/{endpoint}"
    return send("POST", url, {"x-org-key": org.key}, {"deviceId": "agent-01"})


def test_a_registered_device_is_allowed(machins_mock: World) -> None:
    org = machins_mock.create_org("pro")
    device(machins_mock, org, "register")
    status, decision = device(machins_mock, org, "validate")
    assert (status, decision["allowed"], decision["code"]) == (200, True, "ALLOW")


def test_settings_of_an_org_decide(machins_mock: World) -> None:
    org = machins_mock.create_org(key="org_mine")
    device(machins_mock, org, "register")
    assert org.update(frozen=True, plan="scale")["limit"] == 250
    _, decision = device(machins_mock, org, "validate")
    assert (org.key, decision["code"]) == ("org_mine", "PLAN_FROZEN")


def test_an_agent_has_what_it_was_given(machins_mock: World) -> None:
    agent = machins_mock.create_agent("buyer", credits=Decimal("12.50"), tier="verified")
    url = f"{machins_mock.machins_base_url}/wallets/me"
    status, wallet = send("GET", url, {"X-API-Key": agent.api_key})
    assert (status, agent.slug, agent.tier) == (200, "buyer", "verified")
    assert Decimal(wallet["balance"]) == Decimal("12.50")


def test_fixtures_make_a_dispute_that_is_resolved(machins_mock: World) -> None:
    machins_mock.load_fixtures(
        {
            "agents": [{"slug": "seller"}, {"slug": "buyer"}],
            "listings": [
                {
                    "agent": "seller",
                    "slug": "summary",
                    "title": "A summary",
                    "listing_type": "task",
                    "price": 50,
                }
            ],
            "trades": [{"listing": "summary", "buyer": "buyer", "status": "disputed"}],
        }
    )
    [listing], [trade] = machins_mock.listings(), machins_mock.trades()
    assert (listing["slug"], trade["status"]) == ("summary", "disputed")
    settled = machins_mock.resolve_trade(trade["id"], "refund")
    assert settled["status"] == "resolved"
    assert machins_mock.ledger()["balanced"]


def test_a_fault_ends_with_its_block(machins_mock: World) -> None:
    org = machins_mock.create_org()
    device(machins_mock, org, "register")
    with machins_mock.faults.status(503, body="down", path="/api/v1/devices/*") as fault:
        with pytest.raises(ValueError):
            device(machins_mock, org, "validate")
        assert fault.hits() == 1
    assert device(machins_mock, org, "validate")[0] == 200


def test_a_fault_counts_its_hits(machins_mock: World) -> None:
    org = machins_mock.create_org()
    machins_mock.faults.status(429, body={}, retry_after=2, times=1, after=1, device="agent-01")
    statuses = [device(machins_mock, org, "register")[0] for _ in range(3)]
    assert [status == 429 for status in statuses] == [False, True, False]


def test_every_kind_of_fault_is_accepted(machins_mock: World) -> None:
    faults = machins_mock.faults
    match = {"path": "/nowhere"}
    faults.delay(0.5, path="/nowhere")
    faults.drop_before(path="/nowhere")
    faults.drop_after(path="/nowhere")
    faults.truncate(path="/nowhere", probability=0.5)
    faults.garbage(path="/nowhere", method="GET")
    faults.slow_body(path="/nowhere", query={"page": "1"}, body_contains={"n": 1})
    faults.webhook("duplicate", event="trade_proposed")
    faults.webhook("delay", seconds=1.5)
    faults.webhook("drop", times=1)
    faults.webhook("reorder")
    faults.webhook("bad_signature", agent="seller")
    faults.add({"kind": "status", "status": 500, "match": match})
    kinds = "delay drop_before drop_after truncate garbage slow_body duplicate delay drop reorder"
    assert [fault["kind"] for fault in faults.list()] == [
        *kinds.split(),
        "bad_signature",
        "status",
    ]
    faults.clear()
    assert faults.list() == []


def test_the_clock_moves_and_stands_still(machins_mock: World) -> None:
    start = datetime(2030, 1, 31, 12, tzinfo=timezone.utc)
    clock = machins_mock.clock
    clock.freeze()
    assert clock.set(start) == start
    assert clock.advance(timedelta(hours=1)) == start + timedelta(hours=1)
    assert clock.advance(0.5) == clock.now() == start + timedelta(hours=1, seconds=0.5)
    assert clock.unfreeze() >= start
    with pytest.raises(ValueError, match="time zone"):
        clock.set(datetime(2030, 1, 31))


def test_requests_are_recorded_and_waited_for(machins_mock: World) -> None:
    org = machins_mock.create_org()
    device(machins_mock, org, "register")
    device(machins_mock, org, "validate")
    [request] = machins_mock.wait_for_requests(path="/api/v1/devices/validate", device="agent-01")
    assert (request["status"], request["reply"]["code"]) == (200, "ALLOW")
    assert machins_mock.requests(path="/**/validate", limit=1) == [request]
    machins_mock.clear_requests()
    assert machins_mock.requests() == []


def test_a_wait_in_vain_says_what_came_instead(machins_mock: World) -> None:
    org = machins_mock.create_org()
    device(machins_mock, org, "register")
    with pytest.raises(WaitTimeoutError) as caught:
        machins_mock.wait_for_requests(2, timeout=0, path="/api/v1/devices/validate")
    assert [request["path"] for request in caught.value.others] == ["/api/v1/devices/register"]
    assert "POST /api/v1/devices/register: 20" in str(caught.value)
    with pytest.raises(TimeoutError):
        machins_mock.wait_for_webhooks(timeout=0, event="trade_proposed")
    assert machins_mock.webhooks() == []


def test_a_wait_in_a_thread_leaves_the_event_loop_free(machins_mock: World) -> None:
    host, port = machins_mock.url.removeprefix("http://").split("/")[0].split(":")
    path = machins_mock.url.split(port)[1]

    async def agent() -> None:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {path}/api/v1/trades HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        await writer.drain()

    async def test() -> None:
        running = asyncio.create_task(agent())
        requests = await asyncio.to_thread(machins_mock.wait_for_requests, path="/api/v1/trades")
        assert [request["status"] for request in requests] == [401]
        await running

    asyncio.run(test())


def test_a_snapshot_brings_the_world_back(machins_mock: World) -> None:
    org = machins_mock.create_org()
    device(machins_mock, org, "register")
    snapshot = machins_mock.snapshot()
    machins_mock.reset()
    assert device(machins_mock, org, "validate")[0] == 404
    machins_mock.restore(snapshot)
    assert device(machins_mock, org, "validate")[0] == 200


def test_a_refusal_is_an_error_that_says_why(machins_mock: World) -> None:
    machins_mock.create_org(key="org_twice")
    with pytest.raises(MockServerError) as caught:
        machins_mock.create_org(key="org_twice")
    assert (caught.value.status, caught.value.code) == (409, "DUPLICATE")
    with pytest.raises(MockServerError, match="colour"):
        machins_mock.control("POST", "machineid/orgs", {"colour": "red"})


def test_a_server_has_worlds_and_stops() -> None:
    with MockServer(seed=7) as server, MockServer(seed=7) as same:
        assert server.create_org().key == same.create_org().key
        world = server.create_world("mine")
        assert (world.name, world.url) == ("mine", f"{server.url}/_world/mine")
        assert world.create_agent("buyer").slug == "buyer"
        world.delete()
        with pytest.raises(ValueError, match="only reset"):
            server.delete()
    with pytest.raises(MockServerError):
        server.reset()


def test_a_server_that_does_not_start_is_an_error() -> None:
    with pytest.raises(MockServerError, match="status 2"):
        MockServer(arguments=["--no-such-option"])


def test_a_program_that_is_not_machins_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.write_text(f"#!/bin/sh\ncd {tmp_path}\necho $$ > pid\ncat pid\nexec sleep 600\n")
    other.chmod(0o700)
    monkeypatch.setenv("MACHINS", str(other))
    with pytest.raises(MockServerError, match="other is not machins: it printed"):
        MockServer()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_server_ends_with_its_process_not_with_a_forked_child() -> None:
    command = [sys.executable, "-c", FORKS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        server = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
        ended, _, _ = select.select([server], [], [], 20)
        os.close(server)
    assert ended


def test_a_server_stops_although_its_pipe_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "_GRACE", 0.2)
    server = MockServer()
    assert server._process.stdin is not None
    held = os.dup(server._process.stdin.fileno())
    server.stop()
    os.close(held)
    with pytest.raises(MockServerError):
        server.reset()
    assert server._process.returncode == 0
