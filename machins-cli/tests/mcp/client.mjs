// The official TypeScript client. Arguments: what to do, and the server as JSON: a URL or a command.
// Prints what it receives as JSON. `watched` waits for a line of input before its second round.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { createInterface } from "node:readline/promises";

const require = createRequire(process.env.NODE_PACKAGES + "/");
const load = (name) => import(pathToFileURL(require.resolve("@modelcontextprotocol/sdk/" + name)));
const { Client } = await load("client/index.js");
const { StdioClientTransport } = await load("client/stdio.js");
const { StreamableHTTPClientTransport } = await load("client/streamableHttp.js");
const types = await load("types.js");

const [task, target] = [process.argv[2], JSON.parse(process.argv[3])];
const capabilities = { sampling: {}, elicitation: {}, roots: { listChanged: true } };
const client = new Client({ name: "test", version: "1" }, { capabilities });
const seen = [];
client.setRequestHandler(types.CreateMessageRequestSchema, async (request) => {
  seen.push(request.params);
  return { model: "test", role: "assistant", content: { type: "text", text: "sampled é" } };
});
client.setRequestHandler(types.ElicitRequestSchema, async (request) => {
  seen.push(request.params);
  return { action: "decline" };
});
client.setRequestHandler(types.ListRootsRequestSchema, async () => {
  return { roots: [{ uri: "file:///tmp/a", name: "a" }] };
});
const attempt = (call) => call.catch((error) => ({ raised: error.code, text: error.message }));
const call = (name, args = {}) => attempt(client.callTool({ name, arguments: args }));

const tasks = {
  async tour_fastmcp() {
    const steps = [];
    // Long enough for its step of progress to be seen before its result.
    const slow = { name: "slow", arguments: { seconds: 0.5 } };
    return {
      server: client.getServerVersion(),
      tools: await client.listTools(),
      prompts: await client.listPrompts(),
      resources: await client.listResources(),
      add: await call("add", { a: 1, b: 2 }),
      slow: await client.callTool(slow, undefined, { onprogress: (step) => steps.push(step) }),
      large: await call("large", { size: 50_000 }),
      wrong: await call("add", { a: "x" }),
      missing: await call("no-such-tool"),
      resource: await client.readResource({ uri: "data://greeting" }),
      prompt: await client.getPrompt({ name: "review", arguments: { code: "x = 1" } }),
      steps,
    };
  },
  async tour_everything() {
    const steps = [];
    const onprogress = (step) => steps.push(step);
    const long = { name: "trigger-long-running-operation", arguments: { duration: 0.2, steps: 2 } };
    const aborted = new AbortController();
    const endless = { name: "trigger-long-running-operation", arguments: { duration: 60, steps: 1 } };
    const cancelled = attempt(client.callTool(endless, undefined, { signal: aborted.signal }));
    setTimeout(() => aborted.abort("enough"), 50);
    return {
      server: client.getServerVersion(),
      capabilities: client.getServerCapabilities(),
      ping: await client.ping(),
      tools: await client.listTools(),
      prompts: await client.listPrompts(),
      resources: await client.listResources(),
      templates: await client.listResourceTemplates(),
      prompt: await client.getPrompt({ name: "args-prompt", arguments: { city: "Köln" } }),
      completion: await client.complete({
        ref: { type: "ref/prompt", name: "completable-prompt" },
        argument: { name: "department", value: "E" },
      }),
      resource: await client.readResource({ uri: "demo://resource/static/document/features.md" }),
      blob: await client.readResource({ uri: "demo://resource/dynamic/text/3" }).then((read) => read.contents.length),
      level: await client.setLoggingLevel("debug"),
      subscribed: await client.subscribeResource({ uri: "demo://resource/static/document/features.md" }),
      echo: await call("echo", { message: "one\u2028two \u0000 é 😀" }),
      sum: await call("get-sum", { a: 1, b: 2 }),
      image: await call("get-tiny-image"),
      structured: await call("get-structured-content", { location: "Chicago" }),
      links: await call("get-resource-links"),
      annotated: await call("get-annotated-message", { messageType: "error", includeImage: true }),
      roots: await call("get-roots-list"),
      sampled: await call("trigger-sampling-request", { prompt: "say é" }),
      elicited: await call("trigger-elicitation-request"),
      wrong: await call("get-sum", { a: "x" }),
      missing: await call("no-such-tool"),
      long: await client.callTool(long, undefined, { onprogress }),
      cancelled: await cancelled,
      steps,
      seen,
    };
  },
  watched_fastmcp: () => watched("add"),
  watched_everything: () => watched("get-sum"),
  // Lists the tools, and makes the calls that the environment names.
  async each() {
    const calls = [];
    for (const [name, args] of JSON.parse(process.env.CALLS)) calls.push(await call(name, args));
    return { tools: await client.listTools(), calls };
  },
};

async function watched(tool) {
  console.log(JSON.stringify(await call(tool, { a: 1, b: 2 })));
  await createInterface(process.stdin).question("");
  const calls = Array.from({ length: 50 }, () => call(tool, { a: 1, b: 2 }));
  return { calls: await Promise.all(calls), tools: await client.listTools() };
}

let transport;
if (Array.isArray(target)) {
  const [command, ...args] = target;
  transport = new StdioClientTransport({ command, args, env: process.env, stderr: "ignore" });
} else {
  transport = new StreamableHTTPClientTransport(new URL(target), {
    requestInit: process.env.TOKEN ? { headers: { Authorization: `Bearer ${process.env.TOKEN}` } } : {},
  });
}
await client.connect(transport);
const result = await tasks[task]();
// Written whole before the end of the process, which waits for nothing.
await new Promise((done) => process.stdout.write(JSON.stringify(result) + "\n", done));
await transport.terminateSession?.();
await client.close();
process.exit(0);
