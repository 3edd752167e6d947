// What the page says when something is lost, and that it comes back by itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Camera } from "./board.mjs";
import { accessible, changed, open, pixels, shown, workplace } from "./browser.mjs";

const place = workplace();

for (const width of [1280, 390]) {
  test(`a camera that vanishes is said to be lost, with the reason, and comes back (${width} px)`, async () => {
    const camera = new Camera();
    await camera.start();
    const board = await place.start({ source: camera.address });
    const page = await open(place.browser, board.address, width);
    await shown(page);
    const said = page.locator("#live");

    await camera.vanish();
    await page.locator("#state[data-state=lost]").waitFor();
    await page.locator("#veil-title", { hasText: "No signal" }).waitFor();
    // The reason changes from attempt to attempt.
    await board.until("status.json", async ({ reason }) => reason && (await page.locator("#veil-reason").textContent()) === reason);
    assert((await said.textContent()).startsWith("no signal"));
    await accessible(page, "camera lost");

    await camera.start();
    await page.locator("#state[data-state=live]").waitFor();
    assert(await page.locator("#veil").isHidden());
    assert.equal(await said.textContent(), "live");
    assert.deepEqual(page.wrongs, []);
    await page.context().close();
    await board.kill();
    await camera.vanish();
  });
}

test("a program that dies is said to be out of reach, and its successor is shown", async () => {
  const board = await place.start();
  const page = await open(place.browser, board.address, 390);
  await shown(page);
  await board.kill();
  await page.locator("#state[data-state=away]").waitFor();
  await page.locator("#veil-title", { hasText: "Connection lost" }).waitFor();
  assert((await page.locator("#veil-reason").textContent()).length > 20);
  await accessible(page, "connection lost");
  // What cannot be done now is said too.
  await page.locator("#snapshot").click();
  await page.locator("#note", { hasText: "does not answer" }).waitFor();

  await board.again();
  await shown(page);
  assert(await page.locator("#veil").isHidden());
  await changed(page, await pixels(page));
  assert.deepEqual(page.wrongs, []);
  await page.context().close();
  await board.kill();
});

test("a program that hangs is noticed by its silence", async () => {
  const board = await place.start();
  const page = await open(place.browser, board.address);
  await shown(page);
  board.child.kill("SIGSTOP");
  await page.locator("#state[data-state=away]").waitFor();
  board.child.kill("SIGCONT");
  await shown(page);
  await changed(page, await pixels(page));
  await page.context().close();
  await board.kill();
});
