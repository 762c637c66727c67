"""May this device run? Sixty tests, so that workers which disturb each other are noticed."""

import pytest

from mockserver import call


def devices(world, org, endpoint, device):
    url = f"{world.machineid_base_url}/api/v1/devices/{endpoint}"
    return call("POST", url, {"deviceId": device}, {"x-org-key": org["org_key"]})


@pytest.mark.parametrize("number", range(15))
def test_a_registered_device_is_allowed(world, number):
    org = world.org()
    devices(world, org, "register", "agent-01")
    status, decision = devices(world, org, "validate", "agent-01")
    assert (status, decision["allowed"], decision["code"]) == (200, True, "ALLOW")


@pytest.mark.parametrize("number", range(15))
def test_a_revoked_device_is_denied(world, number):
    fixture = {"org_key": "org_tests", "plan": "pro", "revoked": ["agent-01"]}
    world.control("POST", "fixtures", {"orgs": [fixture]})
    _, decision = devices(world, {"org_key": "org_tests"}, "validate", "agent-01")
    assert (decision["allowed"], decision["code"]) == (False, "DEVICE_REVOKED")


@pytest.mark.parametrize("number", range(15))
def test_an_outage_hits_this_world_alone(world, number):
    org = world.org()
    devices(world, org, "register", "agent-01")
    world.fault(kind="status", status=503, times=1, match={"device": "agent-01"})
    assert devices(world, org, "validate", "agent-01")[0] == 503
    assert devices(world, org, "validate", "agent-01")[0] == 200
    received = world.wait_for_requests(device="agent-01", path="/api/v1/devices/validate", count=2)
    assert [request["status"] for request in received] == [503, 200]


@pytest.mark.parametrize("number", range(15))
def test_an_agent_has_the_credits_it_was_given(world, number):
    agent = world.agent(slug="buyer", api_key="at_buyer", credits=100 + number)
    url = f"{world.machins_base_url}/wallets/me"
    status, wallet = call("GET", url, headers={"X-API-Key": agent["api_key"]})
    assert status == 200
    assert float(wallet["balance"]) == 100 + number
