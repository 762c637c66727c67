// Every page, with data and without, and every action with its effect in the API.
import { after, before, describe, it } from "node:test";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import assert from "node:assert/strict";
import { PAGES, call, check, launch, open, server, world } from "./harness.mjs";

const MARKET = {
  orgs: [{ org_key: "org_a", plan: "pro", devices: ["agent-01", "team/agent:2"], revoked: ["agent-03"] }],
  agents: [{ slug: "seller", api_key: "at_seller" }, { slug: "buyer", api_key: "at_buyer", credits: 60 }],
  listings: [
    { agent: "seller", slug: "first", title: "First", listing_type: "task", price: 50 },
    { agent: "seller", slug: "second", title: "Second", listing_type: "data", price: 20, expires_in_hours: 5 },
  ],
  trades: [
    { listing: "first", buyer: "buyer", status: "disputed" },
    { listing: "second", buyer: "buyer", status: "proposed" },
  ],
  subscriptions: [{ agent: "seller", event_type: "trade_proposed", webhook_url: "http://127.0.0.1:9/hook" }],
};
const HOSTILE = [
  "<img src=x onerror=\"document.title='hacked'\">",
  "</title><script>document.title='hacked'</script>",
  "\u202Egnorw\u202C \u0627\u0644\u0639\u0631\u0628\u064A\u0629",
  "'\"><svg/onload=alert(1)>{{7*7}}${7*7}",
];

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser.close(); });

/** A world with the market. */
async function market() {
  const url = await world();
  const loaded = await call(url, "POST", "/_mock/fixtures", MARKET);
  assert.equal(loaded.status, 201, JSON.stringify(loaded.body));
  return url;
}

/** Every page about one thing in a world. */
async function details(url) {
  const { body: { trades } } = await call(url, "GET", "/_mock/machins/trades");
  const { body: { listings } } = await call(url, "GET", "/_mock/machins/listings");
  const { body: { agents } } = await call(url, "GET", "/_mock/machins/agents");
  const { body: { requests } } = await call(url, "GET", "/_mock/requests?limit=3");
  const { body: { webhooks } } = await call(url, "GET", "/_mock/webhooks?limit=1");
  return [
    ...trades.map((one) => `/console/trades/${one.id}`),
    ...listings.map((one) => `/console/listings/${one.id}`),
    ...agents.map((one) => `/console/agents/${one.slug}`),
    ...agents.map((one) => one.claim_url),
    ...requests.map((one) => `/console/requests/${one.seq}`),
    ...webhooks.map((one) => `/console/webhooks/${one.n}`),
    "/console/device?org_key=org_a&device=team%2Fagent%3A2",
  ];
}

async function validate(url, deviceId) {
  const reply = await call(url, "POST", "/api/v1/devices/validate", { deviceId }, { "x-org-key": "org_a" });
  return reply.body.code;
}

async function checkout(url) {
  const reply = await call(url, "POST", "/api/v1/billing/checkout", { plan: "scale" }, { "x-org-key": "org_a" });
  return reply.body.url;
}

describe("every page", { concurrency: 2 }, () => {
  for (const [name, options] of [
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["on a phone", { viewport: { width: 390, height: 844 } }],
    ["on a wide screen", { viewport: { width: 2560, height: 1440 } }],
  ]) {
    it(`without data, ${name}`, async () => {
      const url = await world();
      const page = await open(browser, options);
      for (const path of [...PAGES, "/owner"]) {
        await page.goto(url + path);
        await check(page, path, name !== "on a wide screen");
      }
      await page.context().close();
    });

    it(`with data, ${name}`, async () => {
      const url = await market();
      await validate(url, "agent-01");
      await call(url, "POST", "/_mock/faults", { kind: "delay", millis: 1, match: { path: "/x/*" } });
      const first = (await call(url, "GET", "/_mock/machins/listings")).body.listings[0];
      await call(url, "POST", "/api/v1/trades", { listing_id: first.id }, { "X-API-Key": "at_buyer" });
      await call(url, "POST", "/_mock/webhooks/wait", { count: 1 });
      const page = await open(browser, options);
      const pages = [...PAGES, ...(await details(url)), new URL(await checkout(url)).pathname.replace(/^\/_world\/[^/]+/, "")];
      for (const path of pages) {
        const response = await page.goto(url + path);
        assert.equal(response.status(), 200, path);
        await check(page, path, name !== "on a wide screen");
      }
      await page.context().close();
    });
  }

  it("can be reached and used with the keyboard alone", async () => {
    const url = await market();
    const page = await open(browser);
    await page.goto(`${url}/`);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
    for (let n = 0; n < 40; n += 1) {
      const name = await page.evaluate(() => document.activeElement.textContent);
      if (name.trim() === "Devices") break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.waitForURL("**/console/devices");
    const revoke = page.getByRole("button", { name: "Revoke agent-01" });
    page.once("dialog", (dialog) => dialog.accept());
    for (let n = 0; n < 80; n += 1) {
      if (await revoke.evaluate((button) => button === document.activeElement)) break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.getByRole("status").filter({ hasText: "Revoked." }).waitFor();
    assert.equal(await validate(url, "agent-01"), "DEVICE_REVOKED");
    await page.context().close();
  });
});

describe("hostile text", () => {
  it("is shown as text everywhere", async () => {
    const url = await world();
    const long = "x".repeat(200_000);
    const agents = HOSTILE.map((name, n) => ({ slug: `agent-${n}`, name, api_key: `at_${n}` }));
    const listings = HOSTILE.map((title, n) => ({
      agent: `agent-${n}`, slug: `listing-${n}`, title, description: title + "y".repeat(4000), tags: [title.slice(0, 40)],
      listing_type: "task", price: 5,
    }));
    const trades = HOSTILE.map((_, n) => ({ listing: `listing-${n}`, buyer: `agent-${(n + 1) % 4}`, status: "escrow_held" }));
    const loaded = await call(url, "POST", "/_mock/fixtures", {
      orgs: [{ org_key: "org_a", devices: ["agent-01"] }], agents, listings, trades,
    });
    assert.equal(loaded.status, 201, JSON.stringify(loaded.body));
    for (const [n, trade] of loaded.body.trades.entries()) {
      const body = { payload: { result: HOSTILE[n] + long } };
      const reply = await call(url, "POST", `/api/v1/trades/${trade.id}/deliver`, body, { "X-API-Key": `at_${n}` });
      assert.equal(reply.status, 200, JSON.stringify(reply.body));
      const dispute = { reason: HOSTILE[n] };
      await call(url, "POST", `/api/v1/trades/${trade.id}/dispute`, dispute, { "X-API-Key": `at_${(n + 1) % 4}` });
    }
    for (const text of HOSTILE) {
      await call(url, "POST", "/api/v1/devices/validate", { deviceId: text }, { "x-org-key": "org_a", "x-test": encodeURIComponent(text) });
      await call(url, "GET", `/api/v1/${encodeURIComponent(text)}?q=${encodeURIComponent(text)}`);
    }
    await call(url, "POST", "/api/v1/listings", { title: "z".repeat(1_000_000) }, { "X-API-Key": "at_0" });
    const page = await open(browser);
    page.on("dialog", () => assert.fail("a script of the text ran"));
    const paths = [...PAGES, ...(await details(url)).filter((path) => !path.includes("device=")), "/console/requests?limit=1"];
    const { body: { requests } } = await call(url, "GET", "/_mock/requests?brief=true");
    paths.push(...requests.map((one) => `/console/requests/${one.seq}`));
    paths.push(`/console/requests?search=${encodeURIComponent(HOSTILE[0])}&device=${encodeURIComponent(HOSTILE[3])}`);
    for (const path of paths) {
      const response = await page.goto(url + path);
      assert.equal(response.status(), 200, path);
      assert.notEqual(await page.title(), "hacked");
      assert.equal(await page.locator("main img, main script, main [onload]").count(), 0, path);
      await check(page, path, PAGES.includes(path));
    }
    await page.context().close();
  });
});

describe("devices", () => {
  it("are revoked, restored and removed, one and many", async () => {
    const url = await market();
    const page = await open(browser);
    await page.goto(`${url}/console/devices`);
    page.on("dialog", (dialog) => dialog.accept());
    await page.getByRole("button", { name: "Revoke agent-01" }).click();
    await page.getByText("Revoked. The next").waitFor();
    assert.equal(await validate(url, "agent-01"), "DEVICE_REVOKED");
    // The decision appears by itself.
    await page.getByText("DEVICE_REVOKED").waitFor();
    await page.getByLabel("Select agent-01").check();
    await page.getByLabel("Select agent-03").check();
    await page.getByRole("button", { name: "Restore selected" }).click();
    await page.getByText("Restored. The next").waitFor();
    assert.equal(await validate(url, "agent-03"), "ALLOW");
    await page.getByRole("button", { name: "Remove agent-03" }).click();
    await page.getByText("Removed.").waitFor();
    assert.equal(await validate(url, "agent-03"), "DEVICE_NOT_FOUND");
    await page.getByRole("button", { name: "Revoke all", exact: true }).click();
    await page.getByText("Revoked. The next").waitFor();
    assert.equal(await validate(url, "team/agent:2"), "DEVICE_REVOKED");
    await page.getByRole("button", { name: "Restore all" }).click();
    await page.getByText("Restored. The next").waitFor();
    assert.equal(await validate(url, "team/agent:2"), "ALLOW");
    await page.context().close();
  });

  it("stay as they are when the question is answered with no", async () => {
    const url = await market();
    const page = await open(browser);
    await page.goto(`${url}/console/devices`);
    const asked = [];
    page.on("dialog", (dialog) => { asked.push(dialog.message()); dialog.dismiss(); });
    await page.getByRole("button", { name: "Revoke agent-01" }).click();
    assert.match(asked[0], /Revoke agent-01/);
    assert.equal(await validate(url, "agent-01"), "ALLOW");
    await page.context().close();
  });

  it("obey the switches of their org", async () => {
    const url = await market();
    const page = await open(browser);
    page.on("dialog", (dialog) => dialog.accept());
    await page.goto(`${url}/console/devices`);
    for (const [off, on, code] of [
      ["Stop everything", "Let devices run", "ORG_DISABLED"],
      ["Freeze", "Unfreeze", "PLAN_FROZEN"],
      ["Let it expire", "Mark as paid", "ENTITLEMENT_EXPIRED"],
      ["Begin an outage", "End the outage", "SYSTEM_UNAVAILABLE"],
    ]) {
      await page.getByRole("button", { name: off, exact: true }).click();
      await page.getByRole("button", { name: on, exact: true }).waitFor();
      assert.equal(await validate(url, "agent-01"), code);
      await page.getByRole("button", { name: on, exact: true }).click();
      await page.getByRole("button", { name: off, exact: true }).waitFor();
      assert.equal(await validate(url, "agent-01"), "ALLOW");
    }
    await page.getByLabel("Change to").selectOption("max");
    await page.getByRole("button", { name: "Change", exact: true }).click();
    await page.getByText("Org changed.").waitFor();
    const org = await call(url, "GET", "/_mock/machineid/orgs/org_a");
    assert.equal(org.body.plan, "max");
    await page.context().close();
  });

  it("and orgs are created", async () => {
    const url = await world();
    const page = await open(browser);
    await page.goto(`${url}/console/devices`);
    await page.getByLabel("Key (random if empty)").fill("org_new");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByLabel("Device id").fill("first");
    await page.getByRole("button", { name: "Register" }).click();
    await page.getByText("Registered.").waitFor();
    const devices = await call(url, "GET", "/_mock/machineid/devices?org_key=org_new");
    assert.equal(devices.body.devices[0].device_id, "first");
    await page.context().close();
  });
});

describe("requests", () => {
  it("are copied as a command that sends them again", async () => {
    const url = await market();
    await validate(url, "it's $(agent)");
    const page = await open(browser);
    await page.goto(`${url}/console/requests`);
    await page.getByRole("region", { name: "Requests" }).getByRole("link", { name: "validate" }).click();
    const curl = await page.locator("#as-curl").textContent();
    const env = { ...process.env, MACHINEID_ORG_KEY: "org_a" };
    const reply = JSON.parse(execFileSync("sh", ["-c", `${curl} --silent --noproxy '*'`], { env }));
    assert.equal(reply.code, "INVALID_DEVICE_ID");
    const { body: { requests } } = await call(url, "GET", "/_mock/requests");
    assert.equal(requests.length, 2);
    assert.deepEqual(requests[1].body, requests[0].body);
    await page.context().close();
  });
});

describe("trades", () => {
  it("say why they are stuck", async () => {
    const url = await market();
    const page = await open(browser);
    await page.goto(`${url}/console/trades?status=proposed`);
    await page.getByText("seller, the seller, to accept or reject it").waitFor();
    await page.getByRole("region", { name: "Trades" }).getByRole("link").first().click();
    await page.getByText("It waits for seller, the seller, to accept or reject it.").waitFor();
    // 50 of 60 credits are held for the other trade, and this one costs 20.
    await page.getByText("the buyer has 10.00 credits available, and the price is 20.00").waitFor();
    await page.context().close();
  });

  for (const [button, resolution] of [["buyer", "refund"], ["seller", "release"]]) {
    it(`in dispute are resolved for the ${button}`, async () => {
      const url = await market();
      const page = await open(browser);
      page.on("dialog", (dialog) => dialog.accept());
      await page.goto(`${url}/console/trades?status=disputed`);
      await page.getByRole("region", { name: "Trades" }).getByRole("link").first().click();
      await page.getByRole("button", { name: `Resolve for the ${button}` }).click();
      await page.getByText("Dispute resolved").waitFor();
      const { body } = await call(url, "GET", "/_mock/machins/trades?status=resolved");
      assert.equal(body.trades[0].resolution, resolution);
      await page.context().close();
    });
  }
});

describe("webhooks", () => {
  it("that failed are found, and sent again", async () => {
    const url = await market();
    const received = [];
    const receiver = createServer((request, response) => {
      let body = "";
      request.on("data", (data) => { body += data; });
      request.on("end", () => {
        received.push({ body, signature: request.headers["x-machins-signature"] });
        response.statusCode = received.length === 1 ? 500 : 204;
        response.end();
      });
    });
    await new Promise((done) => { receiver.listen(0, "127.0.0.1", done); });
    const hook = `http://127.0.0.1:${receiver.address().port}/hook`;
    await call(url, "POST", "/_mock/fixtures", { agents: [{ slug: "third", api_key: "at_third" }] });
    await call(url, "POST", "/api/v1/subscriptions",
      { event_type: "new_agent", webhook_url: hook, secret: "s" }, { "X-API-Key": "at_third" });
    await call(url, "POST", "/_mock/machins/agents", { slug: "fourth" });
    await call(url, "POST", "/_mock/webhooks/wait", { match: { event: "new_agent" } });
    const page = await open(browser);
    await page.goto(`${url}/`);
    await page.getByRole("link", { name: /failing subscription/ }).click();
    await page.getByText("failing", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Resend" }).first().click();
    await page.getByText("Posted once more").waitFor();
    assert.equal(received.length, 2);
    assert.deepEqual(received[0], received[1]);
    await page.goto(`${url}/console/webhooks`);
    await page.getByRole("link", { name: /^Attempt/ }).first().click();
    assert.equal(await page.locator("#signature").textContent(), received[0].signature);
    receiver.close();
    await page.context().close();
  });
});

describe("clock, faults and worlds", () => {
  it("the clock advances, is set and stands still", async () => {
    const url = await market();
    const page = await open(browser);
    await page.goto(`${url}/console/clock`);
    await page.getByText("a listing expires").waitFor();
    await page.getByRole("button", { name: "+ 1 day" }).click();
    await page.getByText("The clock has moved").waitFor();
    // What was due has happened.
    await page.getByText("Nothing falls due.").waitFor();
    await page.getByRole("button", { name: "Freeze" }).click();
    await page.getByText("stands still").first().waitFor();
    await page.getByLabel("Set to").fill("2031-01-31T12:00:00Z");
    await page.getByRole("button", { name: "Set", exact: true }).click();
    await page.getByText("The clock is set.").waitFor();
    const { body } = await call(url, "GET", "/_mock/clock");
    assert.match(body.now, /^2031-01-31T12:00:00/);
    assert.equal(body.frozen, true);
    await page.context().close();
  });

  it("faults are added, counted and removed", async () => {
    const url = await market();
    const page = await open(browser);
    await page.goto(`${url}/console/faults`);
    await page.getByLabel("Status (for a status)").fill("429");
    await page.getByLabel("Retry-After in seconds").fill("7");
    await page.getByLabel("Only this device").fill("agent-01");
    await page.getByRole("button", { name: "Add the fault" }).click();
    await page.getByText("Fault added.").waitFor();
    const reply = await fetch(`${url}/api/v1/devices/validate`, {
      method: "POST", headers: { "x-org-key": "org_a" }, body: JSON.stringify({ deviceId: "agent-01" }),
    });
    assert.deepEqual([reply.status, reply.headers.get("retry-after")], [429, "7"]);
    await page.getByText("1 of 1").waitFor();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByText("Fault removed.").waitFor();
    assert.deepEqual((await call(url, "GET", "/_mock/faults")).body.faults, []);
    await page.context().close();
  });

  it("worlds are created and removed", async () => {
    const page = await open(browser);
    page.on("dialog", (dialog) => dialog.accept());
    await page.goto(`${server}/console/worlds`);
    await page.getByLabel("Name (chosen if empty)").fill("by-hand");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("link", { name: "by-hand" }).click();
    await page.getByText("Nothing here yet.").waitFor();
    assert.match(page.url(), /\/_world\/by-hand\/$/);
    await page.getByRole("button", { name: "Load the example" }).click();
    await page.getByText("The example is loaded").waitFor();
    await page.getByRole("link", { name: "2 registered" }).count();
    await page.getByRole("button", { name: "Empty this world" }).click();
    await page.getByText("The world is empty again.").waitFor();
    await page.goto(`${server}/console/worlds`);
    const row = page.getByRole("row", { name: /by-hand/ });
    await row.getByRole("button", { name: "Remove" }).click();
    await page.getByText("World removed.").waitFor();
    assert.equal(await row.count(), 0);
    await page.context().close();
  });
});

describe("agents", () => {
  it("are created, with tier and credits", async () => {
    const url = await world();
    const page = await open(browser);
    await page.goto(`${url}/console/agents`);
    await page.getByLabel("Name", { exact: true }).fill("By hand");
    await page.getByLabel("Slug (random if empty)").fill("by-hand");
    await page.getByLabel("Credits").fill("70");
    await page.getByLabel("Tier").selectOption("verified");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByText("Agent created.").waitFor();
    assert.match(page.url(), /\/console\/agents\/by-hand/);
    const { body: agent } = await call(url, "GET", "/_mock/machins/agents/by-hand");
    assert.deepEqual([agent.name, agent.tier, agent.credits], ["By hand", "verified", "70.00"]);
    await page.context().close();
  });
});

describe("records and faults", () => {
  it("are cleared when the question is answered with yes", async () => {
    const url = await market();
    await validate(url, "agent-01");
    const { body: { listings } } = await call(url, "GET", "/_mock/machins/listings?search=Second");
    await call(url, "POST", "/api/v1/trades", { listing_id: listings[0].id }, { "X-API-Key": "at_buyer" });
    await call(url, "POST", "/_mock/webhooks/wait", { count: 1 });
    for (const path of ["/x", "/y"]) {
      await call(url, "POST", "/_mock/faults", { kind: "delay", millis: 1, match: { path } });
    }
    const page = await open(browser);
    for (const [name, button, done] of [
      ["requests", "Clear the records", "The recorded requests are cleared."],
      ["webhooks", "Clear the records", "The recorded attempts are cleared."],
      ["faults", "Remove all", "All faults removed."],
    ]) {
      const count = async () => (await call(url, "GET", `/_mock/${name}`)).body[name].length;
      const before = await count();
      assert.ok(before > 0, name);
      await page.goto(`${url}/console/${name}`);
      page.once("dialog", (dialog) => dialog.dismiss());
      await page.getByRole("button", { name: button }).click();
      assert.equal(await count(), before, name);
      page.once("dialog", (dialog) => dialog.accept());
      await page.getByRole("button", { name: button }).click();
      await page.getByText(done).waitFor();
      assert.equal(await count(), 0, name);
    }
    await page.context().close();
  });
});

describe("pages for people", () => {
  it("a checkout is paid", async () => {
    const url = await market();
    const page = await open(browser);
    await page.goto(await checkout(url));
    await page.getByText("$99").waitFor();
    await page.getByRole("button", { name: "Pay" }).click();
    await page.getByText("Paid.").waitFor();
    assert.equal((await call(url, "GET", "/_mock/machineid/orgs/org_a")).body.plan, "scale");
    await check(page, "paid checkout");
    await page.context().close();
  });

  it("a cancelled checkout changes nothing", async () => {
    const url = await market();
    const page = await open(browser);
    await page.goto(await checkout(url));
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Cancelled.").waitFor();
    assert.equal((await call(url, "GET", "/_mock/machineid/orgs/org_a")).body.plan, "pro");
    assert.equal(await page.getByRole("button", { name: "Pay" }).count(), 0);
    await page.context().close();
  });

  it("an agent is claimed, and its owner logs in", async () => {
    const url = await market();
    const { body } = await call(url, "GET", "/_mock/machins/agents/seller");
    const page = await open(browser);
    await page.goto(url + body.claim_url);
    await page.getByText("starter").waitFor();
    await page.getByLabel("E-mail").fill("owner@example.com");
    await page.getByLabel("Password").fill("  pass word  ");
    await page.getByLabel("Name").fill("An Owner");
    await page.getByRole("button", { name: "Claim" }).click();
    await page.getByText("Claimed. This has changed:").waitFor();
    assert.equal((await call(url, "GET", "/_mock/machins/agents/seller")).body.tier, "verified");
    await check(page, "claimed");
    await page.getByRole("link", { name: "Log in as the owner" }).click();
    await page.getByLabel("E-mail").fill("owner@example.com");
    await page.getByLabel("Password").fill("wrong password");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Password").fill("  pass word  ");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("Your agents").first().waitFor();
    await page.getByRole("cell", { name: /seller/ }).waitFor();
    await check(page, "owner");
    await page.reload();
    await page.getByRole("cell", { name: /seller/ }).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("E-mail").waitFor();
    await page.context().close();
  });
});

describe("live", () => {
  it("what happens appears within half a second, on two pages at once", async () => {
    const url = await market();
    const pages = await Promise.all([open(browser), open(browser)]);
    for (const page of pages) {
      await page.goto(`${url}/console/requests`);
      await page.getByText("live", { exact: true }).waitFor();
    }
    for (const device of ["probe-1", "probe-2", "probe-3"]) {
      const start = Date.now();
      await validate(url, device);
      await Promise.all(pages.map((page) => page.getByText(device).waitFor()));
      const took = Date.now() - start;
      assert.ok(took < 500 * slowness, `${took} ms`);
    }
    for (const page of pages) await page.context().close();
  });

  it("what happens between the page and its stream of changes appears", async () => {
    const url = await market();
    const page = await open(browser);
    await page.route("**/_mock/events", async (route) => {
      await validate(url, "probe-1");
      await route.continue();
    });
    await page.goto(`${url}/console/requests`);
    await page.getByText("probe-1").waitFor();
    await page.context().close();
  });

  it("a selection, an open entry and a text being typed are kept", async () => {
    const url = await market();
    const page = await open(browser);
    await page.goto(`${url}/console/devices`);
    await page.getByText("live", { exact: true }).waitFor();
    await page.getByLabel("Select agent-01").check();
    await page.getByLabel("Device id").fill("half a na");
    await validate(url, "agent-01");
    await page.getByText("ALLOW", { exact: true }).waitFor();
    assert.equal(await page.getByLabel("Select agent-01").isChecked(), true);
    assert.equal(await page.getByLabel("Device id").inputValue(), "half a na");
    assert.equal(await page.evaluate(() => document.activeElement.name), "new");
    await page.context().close();
  });

  it("a choice is kept when its field is left, and what was put off meanwhile appears", async () => {
    const url = await market();
    const page = await open(browser);
    await page.goto(`${url}/console/devices`);
    await page.getByText("live", { exact: true }).waitFor();
    const plan = page.getByLabel("Change to");
    await plan.focus();
    await plan.selectOption("max");
    await call(url, "POST", "/api/v1/devices/register", { deviceId: "agent-99" }, { "x-org-key": "org_a" });
    await page.getByText("agent-99").first().waitFor();
    const before = await page.locator('[data-live="orgs"]').textContent();
    await page.keyboard.press("Tab");
    await page.waitForFunction((before) =>
      document.querySelector('[data-live="orgs"]').textContent !== before, before);
    assert.equal(await plan.inputValue(), "max");
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "BUTTON");
    await page.keyboard.press("Enter");
    await page.getByText("Org changed").waitFor();
    assert.equal(await plan.inputValue(), "max");
    await page.context().close();
  });

  it("the list is filtered as one types, and its address can be shared", async () => {
    const url = await market();
    await validate(url, "needle");
    await call(url, "GET", "/api/v1/public/stats");
    const page = await open(browser);
    await page.goto(`${url}/console/requests`);
    await page.getByText("/api/v1/public/stats").waitFor();
    await page.getByLabel("Search").fill("NEED");
    await page.getByText("/api/v1/public/stats").waitFor({ state: "detached" });
    assert.match(page.url(), /search=NEED/);
    const other = await open(browser);
    await other.goto(page.url());
    await other.getByText("needle").waitFor();
    assert.equal(await other.getByText("/api/v1/public/stats").count(), 0);
    await page.context().close();
    await other.context().close();
  });

  it("a slow network loses nothing that stays", async () => {
    const url = await market();
    const page = await open(browser);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Network.enable");
    await devtools.send("Network.emulateNetworkConditions",
      { offline: false, latency: 300, downloadThroughput: 50_000, uploadThroughput: 50_000 });
    await page.goto(`${url}/console/requests`);
    await page.getByText("live", { exact: true }).waitFor();
    for (let n = 0; n < 30; n += 1) await validate(url, `probe-${n}`);
    await page.getByText("probe-29").waitFor();
    await page.context().close();
  });
});

// A machine with too few cores for two browsers is not the page's fault.
const slowness = Number(process.env.SLOWNESS ?? 6);
