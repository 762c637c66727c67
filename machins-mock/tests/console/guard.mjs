// A person revokes a device whose job is under way, and sees what comes of it.
import assert from "node:assert/strict";
import { launch, open, server } from "./harness.mjs";

const browser = await launch();
try {
  const page = await open(browser);
  const asked = [];
  page.on("dialog", (dialog) => { asked.push(dialog.message()); dialog.accept(); });
  await page.goto(`${server}/console/devices`);
  // The guard asks again and again.
  await page.getByText("ALLOW", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Revoke agent-01" }).click();
  await page.getByText("Revoked. The next").waitFor();
  assert.match(asked[0], /Revoke agent-01/);
  // What the guard was told last, before it ended its job.
  await page.getByText("DEVICE_REVOKED").first().waitFor();
  await page.getByRole("link", { name: "agent-01" }).click();
  await page.getByText("DEVICE_REVOKED").first().waitFor();
  assert.deepEqual(page.problems, []);
} finally {
  await browser.close();
}
