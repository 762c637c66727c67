"""The official Python client. Arguments: what to do, and the server as JSON: a URL or a command.

Prints what it receives as JSON. `watched` waits for a line of input before its second round.
"""

import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters

TASK, SERVER = sys.argv[1], json.loads(sys.argv[2])
MODE = sys.argv[3] if len(sys.argv) > 3 else "auto"


def plain(value):
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


async def attempt(call):
    try:
        return plain(await call)
    except Exception as error:
        return {"raised": type(error).__name__, "text": str(error)}


async def tour_fastmcp(client):
    progress = []

    async def on_progress(*step):
        progress.append(step)

    return {
        "version": client.protocol_version,
        "server": plain(client.server_info),
        "tools": plain(await client.list_tools()),
        "resources": plain(await client.list_resources()),
        "prompts": plain(await client.list_prompts()),
        "add": plain(await client.call_tool("add", {"a": 1, "b": 2})),
        "slow": plain(
            await client.call_tool("slow", {"seconds": 0}, progress_callback=on_progress)
        ),
        "large": plain(await client.call_tool("large", {"size": 50_000})),
        "wrong": await attempt(client.call_tool("add", {"a": "x"})),
        "missing": await attempt(client.call_tool("no-such-tool", {})),
        "resource": plain(await client.read_resource("data://greeting")),
        "prompt": plain(await client.get_prompt("review", {"code": "x = 1"})),
        "progress": progress,
    }


async def tour_everything(client):
    return {
        "version": client.protocol_version,
        "server": plain(client.server_info),
        "tools": plain(await client.list_tools()),
        "resources": plain(await client.list_resources()),
        "templates": plain(await client.list_resource_templates()),
        "prompts": plain(await client.list_prompts()),
        "prompt": plain(await client.get_prompt("args-prompt", {"city": "Köln"})),
        "echo": plain(await client.call_tool("echo", {"message": "one\u2028two \0 é 😀"})),
        "sum": plain(await client.call_tool("get-sum", {"a": 1, "b": 2})),
        "image": plain(await client.call_tool("get-tiny-image", {})),
        "structured": plain(
            await client.call_tool("get-structured-content", {"location": "Chicago"})
        ),
        "links": plain(await client.call_tool("get-resource-links", {})),
        "wrong": await attempt(client.call_tool("get-sum", {"a": "x"})),
        "missing": await attempt(client.call_tool("no-such-tool", {})),
    }


async def watched_fastmcp(client):
    return await watched(client, "add")


async def watched_everything(client):
    return await watched(client, "get-sum")


async def watched(client, tool):
    before = plain(await client.call_tool(tool, {"a": 1, "b": 2}))
    print(json.dumps(before), flush=True)
    sys.stdin.readline()
    calls = [attempt(client.call_tool(tool, {"a": 1, "b": 2})) for _ in range(50)]
    return {"calls": await asyncio.gather(*calls), "tools": plain(await client.list_tools())}


async def slow(client):
    print("{}", flush=True)
    return await attempt(client.call_tool("slow", {"seconds": 600}))


async def environment(client):
    names = ["MACHINEID_ORG_KEY", "MACHINEID_DEVICE_ID"]
    results = [await client.call_tool("environment", {"name": name}) for name in names]
    return [result.content[0].text for result in results]


async def each(client):
    """Lists the tools, and makes the calls that the environment names."""
    calls = json.loads(os.environ["CALLS"])
    return {
        "tools": plain(await client.list_tools()),
        "calls": [await attempt(client.call_tool(name, given)) for name, given in calls],
    }


async def main():
    server = SERVER
    if isinstance(server, list):
        command, *arguments = server
        server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    async with Client(server, mode=MODE) as client:
        result = await globals()[TASK](client)
    print(json.dumps(result), flush=True)


asyncio.run(main())
