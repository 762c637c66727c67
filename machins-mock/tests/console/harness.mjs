// A browser, worlds for tests, and what every page must be.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const server = process.env.MOCK_URL;

/** Every page that is there without data. */
export const PAGES = [
  "/", "/console/devices", "/console/agents", "/console/listings", "/console/trades",
  "/console/ledger", "/console/webhooks", "/console/inbox", "/console/requests",
  "/console/clock", "/console/faults", "/console/worlds",
];

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

/** Calls the API of a world; returns the JSON of the reply. */
export async function call(url, method, path, body, headers = {}) {
  const response = await fetch(url + path, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : null };
}

let worlds = 0;

/** Creates a world; returns its URL. */
export async function world() {
  worlds += 1;
  const reply = await call(server, "POST", "/_mock/worlds", { name: `w${process.pid}-${worlds}` });
  assert.equal(reply.status, 201);
  return reply.body.url;
}

/** A page that fails the test for errors of scripts and for requests to anywhere else. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of 40|ERR_/.test(message.text())) {
      problems.push(`console: ${message.text()}`);
    }
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(server)) problems.push(`request to ${request.url()}`);
  });
  page.problems = problems;
  return page;
}

/** What must hold for every page: no error, no foreign request, no overflow; no finding of axe. */
export async function check(page, what, withAxe = true) {
  assert.deepEqual(page.problems, [], what);
  const { scroll, client } = await page.evaluate(() => ({
    scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth,
  }));
  assert.ok(scroll <= client, `${what}: the page is ${scroll} wide in a window of ${client}`);
  if (!withAxe) return;
  // The page's policy lets no script in; the driver may.
  const found = await page.evaluate(async (axe) => {
    if (!globalThis.axe) (0, eval)(axe);
    const { violations } = await globalThis.axe.run({
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return violations.map((one) =>
      `${one.id}: ${one.nodes.map((node) => `${node.html.slice(0, 200)} ${node.failureSummary}`).join("\n")}`);
  }, axe);
  assert.deepEqual(found, [], `${what}: accessibility`);
}
