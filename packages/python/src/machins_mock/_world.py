"""A world on a mock server: its orgs, agents, clock, faults and records."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypedDict
from urllib.parse import quote, urlencode

from machins_mock import _control

if TYPE_CHECKING:
    if sys.version_info >= (3, 11):
        from typing import Self, Unpack
    else:
        from typing_extensions import Self, Unpack

Plan = Literal["free", "pro", "scale", "max"]
Tier = Literal["starter", "verified"]


class FaultConditions(TypedDict, total=False):
    """Conditions on a request or a webhook, all of which must be met."""

    #: HTTP method; requests only.
    method: str
    #: Glob over the path, such as ``/api/v1/trades/*/accept``.
    path: str
    #: Slug of the agent, or a glob over it.
    agent: str
    #: Device id in the body, or a glob over it; requests only.
    device: str
    #: Headers and their values; requests only.
    header: Mapping[str, str]
    #: Query parameters and their values; requests only.
    query: Mapping[str, str]
    #: What the JSON body must contain: an object matches if each of its fields does.
    body_contains: Any
    #: Type of the event; webhooks only.
    event: str


class Conditions(FaultConditions, total=False):
    """Conditions on what is waited for, all of which must be met."""

    #: HTTP status of the reply.
    status: int


class FaultOptions(FaultConditions, total=False):
    """Which requests or webhooks a fault hits."""

    #: Number of hits after which the fault ends; by default it does not end.
    times: int
    #: Number of matches that are let through before the first hit.
    after: int
    #: Probability with which a match is hit, from 0 to 1.
    probability: float


class World:
    """A world: all that a server has, independent of other worlds on the same server.

    Every client that uses its base URLs sees the same orgs, agents and trades.
    """

    def __init__(self, url: str, name: str | None = None) -> None:
        url = url.rstrip("/")
        #: URL under which all routes of the world are, the control API at ``/_mock`` included.
        self.url: str = url
        #: Base URL for clients of MachineID.
        self.machineid_base_url: str = url
        #: Base URL for clients of machins.
        self.machins_base_url: str = f"{url}/api/v1"
        #: Name of the world; ``None`` for the server's own.
        self.name: str | None = name
        #: Virtual time of the world.
        self.clock: Clock = Clock(self)
        #: Failures on demand.
        self.faults: Faults = Faults(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Calls the control API, for what has no method here: ``control("GET", "worlds")``.

        Raises ``MockServerError`` if the server refuses.
        """
        return _control.call(method, f"{self.url}/_mock/{path}", body)

    def reset(self) -> None:
        """Empties the world: no orgs, agents, faults or records, and real time."""
        self.control("POST", "reset")

    def create_world(self, name: str | None = None, *, seed: int | None = None) -> World:
        """Creates an empty world on the same server, to be removed with ``delete``."""
        reply = self.control("POST", "worlds", _given(name=name, seed=seed))
        return World(reply["url"], reply["name"])

    def delete(self) -> None:
        """Removes a world that ``create_world`` made, with everything in it."""
        if self.name is None:
            raise ValueError("the server's own world cannot be removed, only reset")
        self.control("DELETE", f"worlds/{quote(self.name, safe='')}")

    def create_org(self, plan: Plan = "free", *, key: str | None = None) -> Org:
        """Creates an org of MachineID. A key of your own begins with ``org_``."""
        reply = self.control("POST", "machineid/orgs", _given(plan=plan, org_key=key))
        return Org(self, reply["org_key"])

    def create_agent(
        self,
        slug: str | None = None,
        *,
        name: str | None = None,
        credits: int | Decimal | None = None,
        tier: Tier | None = None,
        api_key: str | None = None,
    ) -> Agent:
        """Creates an agent of machins, with 500 credits unless others are given.

        A key of your own begins with ``at_``.
        """
        amount = None if credits is None else str(credits)
        body = _given(slug=slug, name=name, credits=amount, tier=tier, api_key=api_key)
        reply = self.control("POST", "machins/agents", body)
        return Agent(
            id=reply["agent_id"],
            slug=reply["slug"],
            name=reply["name"],
            api_key=reply["api_key"],
            tier=reply["tier"],
            claim_url=reply["claim_url"],
        )

    def load_fixtures(self, fixtures: Mapping[str, Any]) -> dict[str, Any]:
        """Adds orgs, agents, listings, trades and subscriptions, or nothing on an error.

        Returns what was created, keys included.
        """
        reply: dict[str, Any] = self.control("POST", "fixtures", fixtures)
        return reply

    def listings(self) -> list[dict[str, Any]]:
        """Returns all listings, in order of creation."""
        return self._list("machins/listings", "listings")

    def trades(self) -> list[dict[str, Any]]:
        """Returns all trades, in order of creation."""
        return self._list("machins/trades", "trades")

    def resolve_trade(self, id: str, outcome: Literal["refund", "release"]) -> dict[str, Any]:
        """Settles the dispute of a trade, and returns the trade."""
        path = f"machins/trades/{quote(id, safe='')}/resolve"
        reply: dict[str, Any] = self.control("POST", path, {"outcome": outcome})
        return reply

    def ledger(self) -> dict[str, Any]:
        """Returns all accounts and their balances, whose sum is zero."""
        reply: dict[str, Any] = self.control("GET", "machins/ledger")
        return reply

    def requests(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        agent: str | None = None,
        device: str | None = None,
        status: int | None = None,
        since: int | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Returns the requests that the world received, oldest first, with keys masked.

        ``since`` leaves out those up to this ``seq``, and ``path`` is a glob.
        """
        query = urlencode(
            _given(
                method=method,
                path=path,
                agent=agent,
                device=device,
                status=status,
                since=since,
                limit=limit,
            )
        )
        return self._list(f"requests?{query}", "requests")

    def wait_for_requests(
        self, count: int = 1, *, timeout: float = 5, **match: Unpack[Conditions]
    ) -> list[dict[str, Any]]:
        """Waits until this many matching requests have been answered, and returns them.

        Those that came before the call count. Raises ``WaitTimeoutError``, which lists what came
        instead, after ``timeout`` seconds.
        """
        return self._wait("requests", count, timeout, match)

    def clear_requests(self) -> None:
        """Removes the recorded requests."""
        self.control("DELETE", "requests")

    def webhooks(self) -> list[dict[str, Any]]:
        """Returns every attempt to post a webhook, oldest first."""
        return self._list("webhooks", "webhooks")

    def wait_for_webhooks(
        self, count: int = 1, *, timeout: float = 5, **match: Unpack[Conditions]
    ) -> list[dict[str, Any]]:
        """Waits until this many matching webhooks have been posted, and returns the attempts.

        Raises ``WaitTimeoutError`` after ``timeout`` seconds.
        """
        return self._wait("webhooks", count, timeout, match)

    def resend_webhook(self, n: int) -> dict[str, Any]:
        """Posts the webhook of this attempt once more, and returns the new attempt."""
        reply: dict[str, Any] = self.control("POST", f"webhooks/{n}/resend")
        return reply

    def snapshot(self) -> Any:
        """Returns the whole world, keys included, for ``restore``."""
        return self.control("GET", "state")

    def restore(self, snapshot: Any) -> None:
        """Replaces the world with one from ``snapshot``."""
        self.control("PUT", "state", snapshot)

    def _list(self, path: str, field: str) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self.control("GET", path)[field]
        return records

    def _wait(
        self, what: str, count: int, timeout: float, match: Conditions
    ) -> list[dict[str, Any]]:
        body = {"match": _match(match), "count": count, "timeout_ms": round(timeout * 1000)}
        url = f"{self.url}/_mock/{what}/wait"
        reply = _control.call("POST", url, body, time_limit=timeout + 30)
        records: list[dict[str, Any]] = reply[what]
        return records


class Org:
    """An org of MachineID."""

    def __init__(self, world: World, key: str) -> None:
        self._world = world
        #: Key of the org, ``org_…``, for the ``x-org-key`` header.
        self.key: str = key

    def update(
        self,
        *,
        plan: Plan | None = None,
        execution_enabled: bool | None = None,
        frozen: bool | None = None,
        entitlement_active: bool | None = None,
        available: bool | None = None,
    ) -> dict[str, Any]:
        """Changes the settings that are given, and returns all of them."""
        settings = _given(
            plan=plan,
            execution_enabled=execution_enabled,
            frozen=frozen,
            entitlement_active=entitlement_active,
            available=available,
        )
        path = f"machineid/orgs/{quote(self.key, safe='')}"
        reply: dict[str, Any] = self._world.control("PATCH", path, settings)
        return reply


@dataclass(frozen=True)
class Agent:
    """An agent of machins, as it was created."""

    id: str
    slug: str
    name: str
    #: Key of the agent, ``at_…``, for the ``X-API-Key`` header.
    api_key: str
    #: ``starter`` trades at most 100 credits at a time, ``verified`` any amount.
    tier: Tier
    #: Path at which a person claims the agent.
    claim_url: str


class Clock:
    """The virtual time of a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        """Returns the virtual time."""
        return _time(self._world.control("GET", "clock"))

    def advance(self, by: timedelta | float) -> datetime:
        """Moves the time forward, by a number of seconds or a ``timedelta``.

        Whatever falls due on the way happens, in order, before this returns.
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        return _time(self._world.control("POST", "clock/advance", {"seconds": seconds}))

    def set(self, now: datetime) -> datetime:
        """Sets the time, which needs a time zone."""
        if now.tzinfo is None:
            raise ValueError("the time needs a time zone, such as datetime.timezone.utc")
        return _time(self._world.control("PUT", "clock", {"now": now.isoformat()}))

    def freeze(self) -> datetime:
        """Lets the time stand still until it is moved or thawed."""
        return _time(self._world.control("PUT", "clock", {"frozen": True}))

    def unfreeze(self) -> datetime:
        """Lets the time pass again."""
        return _time(self._world.control("PUT", "clock", {"frozen": False}))


class Fault:
    """A fault that is active until it is removed, or has hit ``times`` times.

    As a context manager it is removed at the end of the block.
    """

    def __init__(self, world: World, id: int) -> None:
        self._world = world
        #: Number of the fault, unique within its server.
        self.id: int = id

    def hits(self) -> int:
        """Returns how many requests or webhooks the fault has hit."""
        faults = self._world.faults.list()
        return next((fault["hits"] for fault in faults if fault["id"] == self.id), 0)

    def remove(self) -> None:
        """Ends the fault."""
        self._world.control("DELETE", f"faults/{self.id}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()


class Faults:
    """Failures on demand: each method adds one.

    The keywords say which requests or webhooks are hit, and how often (see ``FaultOptions``).
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def add(self, fault: Mapping[str, Any]) -> Fault:
        """Adds a fault as the control API describes it."""
        return Fault(self._world, self._world.control("POST", "faults", fault)["id"])

    def list(self) -> list[dict[str, Any]]:
        """Returns the faults in the order in which they were added, those that have ended too."""
        faults: list[dict[str, Any]] = self._world.control("GET", "faults")["faults"]
        return faults

    def clear(self) -> None:
        """Removes all faults."""
        self._world.control("DELETE", "faults")

    def status(
        self,
        status: int,
        *,
        body: Any = None,
        retry_after: int | str | None = None,
        **options: Unpack[FaultOptions],
    ) -> Fault:
        """Answers with this status, without executing the request.

        A ``body`` that is a string is sent as text, any other value as JSON; ``retry_after`` is a
        number of seconds or an HTTP date.
        """
        settings = _given(status=status, body=body, retry_after=retry_after)
        return self._add("status", settings, options)

    def delay(self, seconds: float, **options: Unpack[FaultOptions]) -> Fault:
        """Delays the execution of the request."""
        return self._add("delay", {"millis": round(seconds * 1000)}, options)

    def drop_before(self, **options: Unpack[FaultOptions]) -> Fault:
        """Closes the connection, without executing the request."""
        return self._add("drop_before", {}, options)

    def drop_after(self, **options: Unpack[FaultOptions]) -> Fault:
        """Executes the request, and closes the connection without a reply."""
        return self._add("drop_after", {}, options)

    def truncate(self, **options: Unpack[FaultOptions]) -> Fault:
        """Executes the request, and closes the connection in the middle of the reply."""
        return self._add("truncate", {}, options)

    def garbage(self, **options: Unpack[FaultOptions]) -> Fault:
        """Executes the request, and answers with bytes that are not JSON."""
        return self._add("garbage", {}, options)

    def slow_body(self, seconds: float = 5, **options: Unpack[FaultOptions]) -> Fault:
        """Executes the request, and sends the reply piece by piece over this time."""
        return self._add("slow_body", {"millis": round(seconds * 1000)}, options)

    def webhook(
        self,
        kind: Literal["duplicate", "delay", "drop", "reorder", "bad_signature"],
        *,
        seconds: float | None = None,
        **options: Unpack[FaultOptions],
    ) -> Fault:
        """Hits webhooks instead of requests.

        ``seconds`` is how long a delay takes, or how long a reordered webhook waits for the next.
        """
        millis = None if seconds is None else round(seconds * 1000)
        return self._add(kind, _given(on="webhook", millis=millis), options)

    def _add(self, kind: str, settings: dict[str, Any], options: FaultOptions) -> Fault:
        match: dict[str, Any] = dict(options)
        rates = ("times", "after", "probability")
        rate: dict[str, Any] = {name: match.pop(name) for name in rates if name in match}
        return self.add({"kind": kind, **settings, **rate, "match": _match(match)})


def _match(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions by the names of the control API."""
    names = {"body_contains": "body"}
    return {names.get(name, name): value for name, value in conditions.items()}


def _time(clock: Mapping[str, str]) -> datetime:
    # Before Python 3.11, `fromisoformat` knows no `Z`.
    return datetime.fromisoformat(clock["now"].replace("Z", "+00:00"))


def _given(**settings: Any) -> dict[str, Any]:
    """The settings that are not ``None``."""
    return {name: value for name, value in settings.items() if value is not None}
