"""Fixtures for pytest.

A run has one server, however many workers of pytest-xdist it has. It is started when the first
test needs it, or by the controller of pytest-xdist before its workers. With ``MACHINS_MOCK_URL``
in the environment, unless it is empty, the server at this URL is used instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from machins_mock._control import MockServerError
from machins_mock._server import MockServer
from machins_mock._world import World

_VARIABLE = "MACHINS_MOCK_URL"
_server = pytest.StashKey[MockServer]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Starts the server before the first worker of pytest-xdist, and tells each worker its URL."""
    url = os.environ.get(_VARIABLE)
    if not url:
        try:
            url = _own_server(node.config).url
        except (MockServerError, OSError):
            # A run that does not use the fixtures must not fail. One that does fails in the
            # worker, which tries again.
            return
    node.workerinput[_VARIABLE] = url


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stops the server, if this process has started it."""
    server = config.stash.get(_server, None)
    if server is not None:
        server.stop()


def _own_server(config: pytest.Config) -> MockServer:
    if _server not in config.stash:
        config.stash[_server] = MockServer()
    return config.stash[_server]


@pytest.fixture(scope="session")
def machins_mock_session(pytestconfig: pytest.Config) -> World:
    """The server's own world, which all tests and all workers of the run share."""
    url = os.environ.get(_VARIABLE) or getattr(pytestconfig, "workerinput", {}).get(_VARIABLE)
    return World(url) if url else _own_server(pytestconfig)


@pytest.fixture(scope="session")
def machins_mock_worker(machins_mock_session: World) -> Iterator[World]:
    """A world that the tests of one worker share, or of the whole run without pytest-xdist."""
    yield from _temporary_world(machins_mock_session)


@pytest.fixture
def machins_mock(machins_mock_session: World) -> Iterator[World]:
    """An empty world of the test's own."""
    yield from _temporary_world(machins_mock_session)


@pytest.fixture
def machins_mock_environment(machins_mock: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world of ``machins_mock``, to which clients that read the environment are pointed."""
    monkeypatch.setenv("MACHINEID_BASE_URL", machins_mock.machineid_base_url)
    monkeypatch.setenv("MACHINS_BASE_URL", machins_mock.machins_base_url)
    return machins_mock


def _temporary_world(server: World) -> Iterator[World]:
    world = server.create_world()
    yield world
    world.delete()
