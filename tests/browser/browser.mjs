// Chromium, and what the tests ask of a page in it.

import axe from "axe-core";
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { Board, PATIENCE, WORK } from "./board.mjs";

/** A laptop's window and a phone. */
export const SIZES = {
  1280: { viewport: { width: 1280, height: 800 } },
  390: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
};
/** A browser with a profile of its own. */
export function launch() {
  const args = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  // Chromium refuses to run its sandbox as root.
  if (process.getuid?.() === 0) args.push("--no-sandbox");
  return chromium.launch({ executablePath: process.env.GRADCAM_CHROMIUM ?? "/usr/bin/chromium", args });
}

/** A browser for the tests of a file, and boards as they ask for them; all are ended with the last test. */
export function workplace() {
  const place = {};
  const boards = [];
  before(async () => {
    place.browser = await launch();
  });
  after(async () => {
    await place.browser?.close();
    await Promise.all(boards.map((board) => board.kill()));
  });
  place.start = async (options) => {
    const board = await Board.start(options);
    boards.push(board);
    return board;
  };
  return place;
}

/** Opens `address` in a window of that width. The page's errors end up in `page.wrongs`. */
export async function open(browser, address, width = 1280, options = {}) {
  const context = await browser.newContext({ colorScheme: "dark", acceptDownloads: true, ...SIZES[width], ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.wrongs = [];
  page.on("pageerror", (error) => page.wrongs.push(error.message));
  page.on("dialog", (dialog) => {
    page.wrongs.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("console", (message) => {
    // A request that fails is written there too; the tests that cut the connection make many.
    if (message.type() === "error" && !/Failed to load resource|net::ERR/.test(message.text())) page.wrongs.push(message.text());
  });
  await page.goto(address);
  return page;
}

/** Waits until the page shows an explained picture. */
export async function shown(page) {
  await page.locator("#state[data-state=live]").waitFor();
  await page.locator("#top li:first-child .label", { hasText: /./ }).waitFor();
  await page.waitForFunction(() => document.getElementById("stream").naturalWidth > 0);
}

/** The pixels of the live picture, 64×48, as bytes RGBA. */
export function pixels(page) {
  return page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(document.getElementById("stream"), 0, 0, 64, 48);
    return [...context.getImageData(0, 0, 64, 48).data];
  });
}

/** Mean difference of two pictures from `pixels`, in levels of 255. */
export function difference(a, b) {
  return a.reduce((sum, value, at) => sum + Math.abs(value - b[at]), 0) / a.length;
}

/** Waits until the live picture differs from `before`. */
export async function changed(page, before) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const now = await pixels(page);
    if (difference(now, before) > 1) return now;
    assert(Date.now() < end, "the picture does not change");
    await page.waitForTimeout(50);
  }
}

/** Asserts that axe-core has nothing serious to say of the page as it is and that nothing sticks out of it; keeps a picture. */
export async function accessible(page, state) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = grave.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map(({ target }) => target.join(" ")).join("\n  ")}`);
  assert.deepEqual(told, [], state);
  const out = await page.evaluate(() => [...document.querySelectorAll("html, .panel")].filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.className || node.tagName));
  assert.deepEqual(out, [], `${state}: too wide`);
  await photograph(page, state);
}

/** A screenshot, for people to look at. */
export async function photograph(page, name) {
  mkdirSync(WORK, { recursive: true });
  await page.screenshot({ path: path.join(WORK, `${name.replaceAll(" ", "-")}-${page.viewportSize().width}.png`) });
}

/** Chooses a class in one of the two searchable lists, by keyboard. */
export async function choose(page, list, label) {
  const box = page.getByRole("combobox", { name: list, exact: true });
  await box.fill(label);
  await page.getByRole("option", { name: label }).first().waitFor();
  await box.press("Enter");
}
