"""A server of tools, written with FastMCP. It notes each call in the file COUNT_FILE.

Without an argument it speaks stdio, with a port it serves streamable HTTP there.
"""

import asyncio
import os
import sys

from fastmcp import Context, FastMCP

server = FastMCP("tools")


def note(what):
    if "COUNT_FILE" in os.environ:
        with open(os.environ["COUNT_FILE"], "a") as file:
            file.write(what + "\n")


@server.tool
def add(a: int, b: int) -> int:
    note("add")
    return a + b


@server.tool
async def slow(seconds: float, context: Context) -> str:
    note("slow")
    await context.report_progress(1, 2)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        note("cancelled")
        raise
    return "done"


@server.tool
def environment(name: str) -> str:
    note("environment")
    return os.environ.get(name, "unset")


@server.tool
def large(size: int) -> str:
    note("large")
    return "é" * size


@server.resource("data://greeting")
def greeting() -> str:
    return "hello"


@server.prompt
def review(code: str) -> str:
    return f"Review: {code}"


if len(sys.argv) > 1:
    server.run(transport="http", port=int(sys.argv[1]), show_banner=False)
else:
    server.run(show_banner=False)
