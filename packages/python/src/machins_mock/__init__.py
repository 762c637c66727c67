"""A mock server of the MachineID and machins APIs.

>>> from machins_mock import MockServer
>>> with MockServer() as server:
...     org = server.create_org(plan="pro")
...     org.key.startswith("org_")
True

With pytest, the fixture ``machins_mock`` gives each test an empty world on one server.
"""

from machins_mock._control import MockServerError, WaitTimeoutError
from machins_mock._server import MockServer, program
from machins_mock._world import Agent, Clock, Conditions, Fault, FaultOptions, Faults, Org, World

__all__ = [
    "Agent",
    "Clock",
    "Conditions",
    "Fault",
    "FaultOptions",
    "Faults",
    "MockServer",
    "MockServerError",
    "Org",
    "WaitTimeoutError",
    "World",
    "program",
]
