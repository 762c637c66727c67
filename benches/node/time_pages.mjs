// Times pages in headless Chromium: reads a URL a line, prints the milliseconds from the beginning of
// the navigation until the page's script has run.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const page = await browser.newPage();
for await (const url of createInterface({ input: process.stdin })) {
  await page.goto(url, { waitUntil: "domcontentloaded" });
  const millis = await page.evaluate(() => performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd);
  console.log(millis);
}
await browser.close();
