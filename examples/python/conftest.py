import os

import pytest

from mockserver import Server, World


def pytest_configure(config):
    # The controller of pytest-xdist starts the server. Its workers inherit the variable.
    if not os.environ.get("MACHINS_MOCK_URL"):
        config.mock_server = Server()
        os.environ["MACHINS_MOCK_URL"] = config.mock_server.url


def pytest_unconfigure(config):
    server = getattr(config, "mock_server", None)
    if server is not None:
        del os.environ["MACHINS_MOCK_URL"]
        server.stop()


@pytest.fixture(scope="session")
def own_world():
    """A world of this worker's own."""
    server = World(os.environ["MACHINS_MOCK_URL"])
    world = server.control("POST", "worlds", {})
    yield World(world["url"])
    server.control("DELETE", f"worlds/{world['name']}")


@pytest.fixture
def world(own_world):
    """An empty world."""
    own_world.reset()
    return own_world
