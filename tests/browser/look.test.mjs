// How the page looks and handles on a phone and on a laptop.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Board } from "./board.mjs";
import { accessible, launch, open, shown } from "./browser.mjs";

/** The smallest side of what is touched, in CSS pixels. */
const TOUCH = 44;

let board, browser;
before(async () => {
  board = await Board.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await board?.kill();
});

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

test("on a phone the picture stays in sight, nothing is cut off, and everything can be touched", async () => {
  const page = await open(browser, board.address, 390);
  await shown(page);
  assert.equal(await overflow(page), 0);
  const small = await page.evaluate((least) => {
    // What is touched of an input within a label is the label.
    const touched = [...document.querySelectorAll("button, select, input, a[href]:not(.skip)")].map((node) => node.closest("label") ?? node);
    return touched.filter((node) => {
      const { width, height } = node.getBoundingClientRect();
      return width > 0 && (width < least || height < least);
    }).map((node) => node.outerHTML);
  }, TOUCH);
  assert.deepEqual(small, []);
  await accessible(page, "phone");

  await page.locator("#version").scrollIntoViewIfNeeded();
  const { top, height } = await page.locator("#stream").evaluate((node) => node.getBoundingClientRect().toJSON());
  assert(top >= 0 && height > 200 && height < 844 / 2, `${top} ${height}`);
  await accessible(page, "phone below");
  await page.context().close();
});

test("on a laptop picture and controls lie side by side, and the controls scroll by themselves", async () => {
  const page = await open(browser, board.address, 1280);
  await shown(page);
  assert.equal(await overflow(page), 0);
  const box = (id) => page.locator(id).evaluate((node) => node.getBoundingClientRect().toJSON());
  const [picture, side] = [await box("#picture"), await box("#controls")];
  assert(picture.right <= side.left && picture.width > side.width, JSON.stringify([picture, side]));
  await page.locator("#version").scrollIntoViewIfNeeded();
  assert.deepEqual(await box("#picture"), picture);
  await page.context().close();
});

for (const [name, width, options] of [
  ["light", 1280, { colorScheme: "light" }],
  ["light phone", 390, { colorScheme: "light" }],
  ["across", 390, { viewport: { width: 844, height: 390 } }],
  ["forced colours", 1280, { forcedColors: "active" }],
]) {
  test(`it can be read: ${name}`, async () => {
    const page = await open(browser, board.address, width, options);
    await shown(page);
    assert.equal(await overflow(page), 0);
    await accessible(page, name);
    await page.context().close();
  });
}

test("who wants no motion gets none beside the picture", async () => {
  const page = await open(browser, board.address, 1280, { reducedMotion: "reduce" });
  await shown(page);
  const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((node) => {
    const { transitionDuration, animationName } = getComputedStyle(node);
    return animationName !== "none" || parseFloat(transitionDuration) > 0;
  }).length);
  assert.equal(moving, 0);
  await page.context().close();
});

test("by keyboard alone one gets to every control, and sees where one is", async () => {
  const page = await open(browser, board.address, 1280);
  await shown(page);
  const reached = new Set();
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    const [id, seen] = await page.evaluate(() => {
      const node = document.activeElement;
      const shown = node.type === "radio" ? node.closest("label") : node;
      return [node.id || node.name, node === document.body || getComputedStyle(shown).outlineStyle !== "none"];
    });
    assert(seen, `${id} has the focus and does not show it`);
    reached.add(id);
  }
  for (const id of ["freeze", "heat", "snapshot", "record", "follow", "explain-input", "against-input", "method", "opacity", "colormap", "signed", "flip"]) {
    assert(reached.has(id), `${id} is not reached`);
  }
  await page.context().close();
});
