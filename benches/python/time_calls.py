"""Times calls of the vendors' own packages against a server.

Arguments: MachineID's base URL, org key and device; machins' base URL and API key. Each line of
input names a call and how often to make it; the answer is the microseconds that each took.
"""

import asyncio
import sys
import time

from machineid import MachineID
from machins import AsyncMachins, Machins

machineid_url, org_key, device, machins_url, api_key = sys.argv[1:]
machineid = MachineID(org_key, base_url=machineid_url)
machins = Machins(api_key=api_key, base_url=machins_url)


def each(function, times):
    function()
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) * 1e6 / times


async def each_async(times):
    # A client lives in one event loop; its first call, which connects, is not counted.
    client = AsyncMachins(api_key=api_key, base_url=machins_url)
    await client.get_wallet()
    start = time.perf_counter()
    for _ in range(times):
        await client.get_wallet()
    return (time.perf_counter() - start) * 1e6 / times


for line in iter(sys.stdin.readline, ""):
    call, times = line.split()
    times = int(times)
    if call == "validate":
        took = each(lambda: machineid.validate(device), times)
    elif call == "wallet":
        took = each(machins.get_wallet, times)
    else:
        took = asyncio.run(each_async(times))
    print(took, flush=True)
