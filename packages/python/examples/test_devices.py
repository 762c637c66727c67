"""May this device run? With the package installed: ``pytest -n 2``."""

import json
import urllib.error
import urllib.request

import pytest


def validate(base_url, org_key, device_id):
    """The code under test."""
    request = urllib.request.Request(
        f"{base_url}/api/v1/devices/validate",
        data=json.dumps({"deviceId": device_id}).encode(),
        headers={"x-org-key": org_key, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["code"]


def test_a_revoked_device_is_denied(machins_mock):
    machins_mock.load_fixtures({"orgs": [{"org_key": "org_test", "revoked": ["agent-01"]}]})
    assert validate(machins_mock.machineid_base_url, "org_test", "agent-01") == "DEVICE_REVOKED"


def test_an_outage_is_no_decision(machins_mock):
    machins_mock.load_fixtures({"orgs": [{"org_key": "org_test", "devices": ["agent-01"]}]})
    machins_mock.faults.status(503, times=1, path="/api/v1/devices/validate")
    with pytest.raises(urllib.error.HTTPError):
        validate(machins_mock.machineid_base_url, "org_test", "agent-01")
    assert validate(machins_mock.machineid_base_url, "org_test", "agent-01") == "ALLOW"
