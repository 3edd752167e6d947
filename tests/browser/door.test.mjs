// Who has no token, and labels that are markup.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { WORK } from "./board.mjs";
import { accessible, changed, open, pixels, shown, workplace } from "./browser.mjs";

const TOKEN = "correcthorsebatterystaple";

const place = workplace();

test("without a token the page asks for it, refuses a wrong one, and remembers the right one", async () => {
  const board = await place.start({ args: ["--serve-token", TOKEN] });
  const address = new URL("/", board.url);
  const page = await open(place.browser, address.href, 390);
  await page.getByRole("heading", { name: "This view is locked" }).waitFor();
  await accessible(page, "door");
  await page.getByLabel("Token").fill("another");
  await page.getByRole("button", { name: "Open the view" }).click();
  await page.getByRole("alert").filter({ hasText: "not the token" }).waitFor();
  assert.equal(page.url(), address.href);
  await accessible(page, "door wrong token");
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByRole("button", { name: "Open the view" }).click();
  await shown(page);
  await changed(page, await pixels(page));
  assert.equal(page.url(), address.href);
  assert.equal(await page.evaluate(() => document.cookie), "", "no script sees the cookie");
  await page.reload();
  await shown(page);
  // The cookie is gone, as after a start with another token: the page leads to the door again.
  await page.context().clearCookies();
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.getByRole("heading", { name: "This view is locked" }).waitFor();
  assert.deepEqual(page.wrongs, []);
  await page.context().close();
  await board.kill();
});

test("a label that is markup stays text", async () => {
  const evil = '<img src=x onerror="alert(1)"><script>alert(2)</script>&lt;b&gt; “quoted” -dash';
  mkdirSync(WORK, { recursive: true });
  const file = path.join(WORK, "hostile-labels.txt");
  writeFileSync(file, Array.from({ length: 1000 }, (_, number) => `${number} ${evil}`).join("\n"));
  const board = await place.start({ args: ["--labels", file] });
  const page = await open(place.browser, board.address);
  await shown(page);
  assert((await page.locator("#top .label").first().textContent()).includes(evil));
  await page.getByRole("combobox", { name: "Explain", exact: true }).fill("285");
  await page.keyboard.press("Enter");
  await board.until("status.json", ({ target }) => target.class === 285);
  await page.locator("#target", { hasText: evil }).waitFor();
  await page.locator("#snapshot").click();
  await page.getByRole("link", { name: /of snapshot/ }).first().waitFor();
  assert.equal(await page.locator("main img:not(#stream, .show img), main script").count(), 0);
  await accessible(page, "hostile labels");
  assert.deepEqual(page.wrongs, []);
  await page.context().close();
  await board.kill();
});
