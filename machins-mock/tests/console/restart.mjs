// An open page while its server is stopped and started again.
import assert from "node:assert/strict";
import { once } from "node:events";
import { launch, open, server } from "./harness.mjs";

const browser = await launch();
try {
  const page = await open(browser);
  await page.goto(`${server}/console/devices`);
  const live = page.locator("[data-live-state]");
  await live.getByText("live", { exact: true }).waitFor();
  console.log("live");
  await live.getByText("connection lost").waitFor();
  console.log("lost");
  await once(process.stdin, "data");
  await page.getByText("org_second").first().waitFor();
  await live.getByText("live", { exact: true }).waitFor();
  // Forms carry the token of the new server.
  await page.getByLabel("Device id").fill("agent-01");
  await page.getByRole("button", { name: "Register" }).click();
  await page.getByText("Registered.").waitFor();
  assert.equal(await page.getByRole("link", { name: "agent-01" }).count(), 1);
  console.log("second");
} finally {
  await browser.close();
}
process.exit(0);
