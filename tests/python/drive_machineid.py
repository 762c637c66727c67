"""Drives a server with the vendor's own package, unchanged, and prints what it replied.

Arguments: base URL, org key.
"""

import json
import sys

from machineid import MachineID

base_url, org_key = sys.argv[1:]
client = MachineID(org_key, base_url=base_url)
replies = [
    ["register", client.register("agent-01")],
    ["register again", client.register("agent-01")],
    ["validate", client.validate("agent-01")],
    ["revoke", client.revoke("agent-01")],
    ["validate revoked", client.validate("agent-01")],
    ["register revoked", client.register("agent-01")],
    ["list", client.list_devices()],
    ["unrevoke", client.unrevoke("agent-01")],
    ["restore", client.restore("agent-01")],
    ["validate restored", client.validate("agent-01")],
    ["usage", client.usage()],
    ["remove", client.remove("agent-01")],
    ["validate removed", client.validate("agent-01")],
    ["remove again", client.remove("agent-01")],
    ["bad key", MachineID("nonsense", base_url=base_url).validate("agent-01")],
]
print(json.dumps(replies))
