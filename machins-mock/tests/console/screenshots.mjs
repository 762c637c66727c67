// Pictures of pages, for the documentation: made, and compared loosely with those that are there.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { call, launch, open, server } from "./harness.mjs";

// How far two pictures may differ in the mean of a pixel's channels: fonts differ from machine to
// machine, and a page without its style differs by far more.
const MOST = 0.04;

const folder = process.env.PICTURES;
const overwrite = process.env.SNAPSHOTS === "overwrite";
const wide = { width: 1440, height: 900 };
const phone = { width: 390, height: 844 };

const browser = await launch();
const { body: { trades } } = await call(server, "GET", "/_mock/machins/trades?status=disputed");
const trade = `/console/trades/${trades[0].id}`;
const pages = [
  ["overview", "/", wide, "light"],
  ["overview", "/", wide, "dark"],
  ["devices", "/console/devices", wide, "light"],
  ["trade", trade, { width: 1440, height: 1180 }, "light"],
  ["requests", "/console/requests", wide, "light"],
  ["webhooks", "/console/webhooks", wide, "dark"],
  ["phone-overview", "/", phone, "light"],
  ["phone-trade", trade, phone, "dark"],
  ["checkout", process.env.CHECKOUT, { width: 700, height: 480 }, "light"],
];

/** The mean difference of two pictures' pixels, from 0 to 1; 1 if their sizes differ. */
async function difference(page, first, second) {
  const urls = [first, second].map((png) => `data:image/png;base64,${png.toString("base64")}`);
  return page.evaluate(async (sources) => {
    const pixels = await Promise.all(sources.map(async (source) => {
      const image = new Image();
      image.src = source;
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, image.width, image.height);
    }));
    const [a, b] = pixels;
    if (a.width !== b.width || a.height !== b.height) return 1;
    let sum = 0;
    for (let n = 0; n < a.data.length; n += 1) sum += Math.abs(a.data[n] - b.data[n]);
    return sum / a.data.length / 255;
  }, urls);
}

try {
  mkdirSync(folder, { recursive: true });
  const blank = await (await browser.newContext()).newPage();
  for (const [name, path, viewport, colorScheme] of pages) {
    const page = await open(browser, { viewport, colorScheme });
    await page.goto(server + path);
    // Whether a picture is taken before or after the stream begins is chance.
    await page.evaluate(() => {
      const live = document.querySelector("[data-live-state]");
      if (live) {
        live.dataset.liveState = "on";
        live.querySelector("[data-live-text]").textContent = "live";
      }
    });
    const picture = await page.screenshot();
    const file = join(folder, `console-${name}-${colorScheme}.png`);
    if (overwrite || process.env.ALL) {
      writeFileSync(file, picture);
    } else if (existsSync(file)) {
      const found = await difference(blank, readFileSync(file), picture);
      assert.ok(found <= MOST, `${file} differs by ${(found * 100).toFixed(1)} %; SNAPSHOTS=overwrite takes it anew`);
      console.log(`${name} ${colorScheme}: ${(found * 100).toFixed(2)} %`);
    } else {
      assert.fail(`${file} is missing; SNAPSHOTS=overwrite makes it`);
    }
    await page.context().close();
  }
} finally {
  await browser.close();
}
