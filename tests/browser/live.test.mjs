// What the page does while everything works.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Board, PATIENCE } from "./board.mjs";
import { accessible, changed, choose, difference, launch, open, photograph, pixels, shown } from "./browser.mjs";

/** The map of a difference of scores is the difference of their maps, but for rounding of 32-bit sums over 1280 features. */
const ROUNDING = 1e-3;
/**
 * Cumulative layout shift. A panel that moves by a line of text is above 0.005; a number that is flush right and gets a
 * digit more moves by that digit, 0.0001.
 */
const SHIFT = 0.002;

let board, browser, page;
before(async () => {
  board = await Board.start();
  browser = await launch();
  page = await open(browser, board.address);
  await shown(page);
});
after(async () => {
  await browser?.close();
  await board?.kill();
});

const target = (class_, against) => ({ target }) => target.class === class_ && target.against?.class === against;
const largest = (values) => Math.max(...values.flat().map(Math.abs));

test("the picture moves, and the page keeps still around it", async () => {
  await changed(page, await pixels(page));
  assert(await page.locator("#camera").textContent());
  // Numbers change all the time; nothing else may move because of it.
  const shift = await page.evaluate(() => new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (sum += value))).observe({ type: "layout-shift" });
    setTimeout(() => resolve(sum), 3000);
  }));
  assert(shift < SHIFT, `${shift}`);
  await accessible(page, "live");
});

test("five classes are listed as the board says, the explained one marked", async () => {
  await page.locator("#freeze").click();
  const { top, target } = await board.settled();
  await page.locator("#state[data-state=frozen]").waitFor();
  // Nothing else comes to the page but what the board says now.
  await page.waitForFunction(([top, explained]) => {
    const texts = (selector) => [...document.querySelectorAll(selector)].map(({ textContent }) => textContent);
    const close = (share, rank) => Math.abs(parseFloat(share) - 100 * top[rank].probability) <= 0.5;
    return JSON.stringify(texts("#top .label")) === JSON.stringify(top.map(({ label }) => label))
      && JSON.stringify(texts("#top .explained .label")) === JSON.stringify([explained])
      && texts("#top .share").length === top.length && texts("#top .share").every(close);
  }, [top, target.label]);
  await page.locator("#freeze").click();
  await page.locator("#state[data-state=live]").waitFor();
});

test("freeze holds the picture, and lets it go", async () => {
  await page.locator("#freeze").click();
  await page.locator("#freeze[aria-pressed=true]").waitFor();
  const { frame } = await board.settled();
  const raw = async () => (await fetch(new URL("frame.jpg", board.url))).headers.get("x-frame");
  // The camera goes on. What was on its way to the page comes; then it stands.
  const end = Date.now() + PATIENCE;
  let still = null;
  for (let before = null; still === null; before = await pixels(page)) {
    assert(Date.now() < end, "the picture does not stand");
    await board.frames(60);
    if (before && difference(await pixels(page), before) === 0) still = before;
  }
  const first = await raw();
  await board.frames(60);
  assert.equal((await board.read("status.json")).frame.number, frame.number);
  assert.equal(await raw(), first);
  assert.equal(difference(await pixels(page), still), 0);
  await page.locator("#freeze").click();
  await changed(page, still);
});

test("a chosen class changes the heat and the map, and a contrast is the difference of two maps", async () => {
  // A frame on which there is heat for a cat, and so none for a cup; the demo shows both in turn, and goes on meanwhile.
  const catSeen = ({ gate, target }) => gate > 0.99 && /cat|tabby/.test(target.label);
  for (const end = Date.now() + 2 * PATIENCE; ; ) {
    await board.until("status.json", catSeen);
    await page.locator("#freeze").click();
    await page.locator("#freeze[aria-pressed=true]").waitFor();
    if (catSeen(await board.settled())) break;
    assert(Date.now() < end, "no cat was frozen");
    await page.locator("#freeze").click();
    await board.until("status.json", ({ state }) => state === "live");
  }
  const maps = {};
  let was;
  for (const [label, number] of [["Egyptian cat", 285], ["espresso", 967]]) {
    await choose(page, "Explain", label);
    maps[label] = await board.until("map.json", target(number));
    // The best class may have been this cat, or another with nearly the same map.
    if (was) await changed(page, was);
    was = await pixels(page);
    await page.locator("#target").getByText(label, { exact: true }).waitFor();
    await page.locator("#follow:not(:checked)").waitFor({ state: "attached" });
  }
  const [cat, cup] = [maps["Egyptian cat"], maps.espresso];
  assert.equal(cat.frame.number, cup.frame.number);
  assert.notDeepEqual(cat.values, cup.values);

  await choose(page, "Explain", "Egyptian cat");
  // The second list leaves out the class that is explained, which is the cup until the page knows better.
  await page.locator("#target").getByText("Egyptian cat", { exact: true }).waitFor();
  await board.until("map.json", target(285));
  await choose(page, "Rather than", "espresso");
  const both = await board.until("map.json", target(285, 967));
  await page.locator("#target", { hasText: "Egyptian cat − espresso" }).waitFor();
  const scale = largest(cat.values) + largest(cup.values);
  both.values.flat().forEach((value, at) => {
    const expected = cat.values.flat()[at] - cup.values.flat()[at];
    assert(Math.abs(value - expected) <= ROUNDING * scale, `cell ${at}: ${value} for ${expected}`);
  });
  await accessible(page, "contrast");

  await page.getByRole("button", { name: "No contrast" }).click();
  await board.until("map.json", target(285));
  await page.getByRole("switch", { name: "Follow the best class" }).check();
  await board.until("status.json", ({ locked }) => !locked);
  await page.locator("#freeze").click();
  await board.until("status.json", ({ state }) => state === "live");
});

test("the searchable list is used by keyboard, and every class is in it", async () => {
  const box = page.getByRole("combobox", { name: "Explain", exact: true });
  const { labels } = await board.read("model.json");
  await box.focus();
  await page.keyboard.press("ArrowDown");
  assert.equal(await box.getAttribute("aria-expanded"), "true");
  const first = page.locator("#explain [role=option]").first();
  assert.equal(await first.getAttribute("aria-setsize"), String(labels.length));
  assert.equal(await first.locator("span").textContent(), labels[0]);
  await accessible(page, "all classes");
  // Upwards from the first is the last: all are made by then.
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  assert.deepEqual(await page.locator("#explain [role=option] span").allTextContents(), labels);
  const active = await box.getAttribute("aria-activedescendant");
  assert.equal(await page.locator(`#${active} span`).textContent(), labels.at(-1));

  await box.fill("cat egyptian");
  assert.deepEqual(await page.locator("#explain [role=option] span").allTextContents(), ["Egyptian cat"]);
  await box.fill("no such class");
  assert.equal(await page.locator("#explain [data-class]").count(), 0);
  await page.keyboard.press("Enter");
  await accessible(page, "no class found");
  await page.keyboard.press("Escape");
  assert.equal(await box.getAttribute("aria-expanded"), "false");
  assert.equal(await box.inputValue(), "");
  assert.equal((await board.read("status.json")).locked, false);
});

test("a class of the list is explained at a click", async () => {
  await page.locator("#freeze").click();
  await page.locator("#state[data-state=frozen]").waitFor();
  // The explained class need not be the first: another one has to be better for a while before it is followed.
  const row = page.locator("#top li:not(.explained) button").first();
  const label = await row.locator(".label").textContent();
  assert.notEqual((await board.read("status.json")).target.label, label);
  await row.click();
  await board.until("status.json", ({ target, locked }) => locked && target.label === label);
  await page.getByRole("button", { name: "Follow the best class again" }).click();
  await board.until("status.json", ({ locked }) => !locked);
  await page.locator("#freeze").click();
  await board.until("status.json", ({ state }) => state === "live");
});

test("what is newer is shown, whether an event or an answer comes first", async () => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route("**/control", async (route) => {
    const response = await route.fetch();
    await held;
    await route.fulfill({ response });
  }, { times: 1 });
  await page.locator("#freeze").click();
  // The event comes; the answer is on its way. State and classes are of one status.
  await page.locator("#state[data-state=frozen]").waitFor();
  const { top } = await board.read("status.json");
  assert.deepEqual(await page.locator("#top .label").allTextContents(), top.map(({ label }) => label));
  await board.control({ freeze: false });
  await page.locator("#state[data-state=live]").waitFor();
  await page.evaluate(() => {
    const state = document.getElementById("state");
    globalThis.states = [];
    new MutationObserver(() => globalThis.states.push(state.dataset.state)).observe(state, { attributeFilter: ["data-state"] });
  });
  const answered = page.waitForResponse("**/control");
  release();
  assert.equal((await (await answered).json()).state, "frozen");
  await board.frames(30);
  assert.deepEqual(await page.evaluate(() => globalThis.states), []);
});

test("method, layer and look are set, and the same maps are said to be the same", async () => {
  const { methods, layers, colormaps, signed_colours } = await board.read("model.json");
  const { method, same } = await board.read("status.json");
  assert.equal(method, "grad-cam");
  assert(same.length > 0);
  const title = (name) => methods.find((method) => method.name === name).title;
  for (const name of same) assert((await page.locator("#same").textContent()).includes(title(name)));
  assert.equal(await page.locator("#method option").count(), methods.length);

  await page.getByLabel("Method", { exact: true }).selectOption("eigen-cam");
  await board.until("map.json", ({ method, unit }) => method === "eigen-cam" && unit === "relative");
  await page.locator("#unit", { hasText: "relative" }).waitFor();
  await page.locator("#same", { hasText: "A map of its own." }).waitFor();
  await page.getByLabel("Method", { exact: true }).selectOption("grad-cam");
  await board.until("map.json", ({ method }) => method === "grad-cam");

  if (layers.length > 1) {
    const other = layers.find(({ name }) => name === "stride16") ?? layers[1];
    const { layer } = await board.read("status.json");
    await page.getByLabel("Layer", { exact: true }).selectOption(other.name);
    await board.until("map.json", ({ layer_wire, values }) => layer_wire === other.wire && values.length === other.height);
    await page.getByLabel("Layer", { exact: true }).selectOption(layer);
    await board.until("status.json", (status) => status.layer === layer && status.layer_loading === null);
  }

  await page.getByLabel("Opacity").fill("30");
  await board.until("status.json", ({ look }) => Math.abs(look.opacity - 0.3) < 1e-6);
  await page.locator("#colormaps label", { hasText: "viridis" }).click();
  await board.until("status.json", ({ look }) => look.colormap === "viridis");
  const colours = (list) => list.map((colour) => `rgb(${[1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).join(", ")})`);
  const drawn = async (list) => page.waitForFunction((wanted) => document.getElementById("bar").style.backgroundImage.includes(wanted), colours(list).join(", "));
  await drawn(colormaps.find(({ name }) => name === "viridis").colours);
  await page.getByRole("switch", { name: "Against the class, too" }).check();
  await board.until("status.json", ({ look }) => look.signed);
  await drawn(signed_colours);
  await page.locator("#low", { hasText: "−" }).waitFor();
  await photograph(page, "signed");
  await page.getByRole("switch", { name: "Against the class, too" }).uncheck();
  await page.getByRole("switch", { name: "Mirror the picture" }).check();
  await board.until("status.json", ({ look }) => look.flip && !look.signed);
  await page.getByRole("switch", { name: "Mirror the picture" }).uncheck();
  await page.locator("#heat").click();
  await board.until("status.json", ({ look }) => !look.heat && !look.flip);
  await page.locator("#unit", { hasText: "heat is off" }).waitFor();
  await page.locator("#heat").click();
  await page.locator("#colormaps label", { hasText: "turbo" }).click();
  await board.until("status.json", ({ look }) => look.heat && look.colormap === "turbo");
});

test("what another viewer sets is shown here", async () => {
  const other = await open(browser, board.address, 390);
  await shown(other);
  await other.locator("#heat").click();
  await page.locator("#heat[aria-pressed=false]").waitFor();
  await page.locator("#heat").click();
  await other.locator("#heat[aria-pressed=true]").waitFor();
  await other.context().close();
});

async function download(link) {
  const [file] = await Promise.all([page.waitForEvent("download"), link.click()]);
  return { name: file.suggestedFilename(), path: await file.path() };
}

test("a snapshot is taken, listed, downloaded, and opens", async () => {
  const { frame } = await board.read("status.json");
  await page.locator("#snapshot").click();
  const link = page.getByRole("link", { name: /Download View.*of snapshot/ }).first();
  const { name, path } = await download(link);
  assert.match(name, /^gradcam-.*\.png$/);
  const bytes = readFileSync(path);
  assert.deepEqual([...bytes.subarray(0, 8)], [137, 80, 78, 71, 13, 10, 26, 10]);
  // Chromium decodes all of it, not the header alone.
  const [width, height] = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    return [picture.width, picture.height];
  }, bytes.toString("base64"));
  assert.deepEqual([width, height], [frame.width, frame.height]);
  const numbers = await download(page.getByRole("link", { name: /Download Numbers.*of snapshot/ }).first());
  assert(JSON.parse(readFileSync(numbers.path)).explanation.target.label);
});

test("a recording runs, ends, is listed, downloaded, and plays", async () => {
  await page.locator("#record").click();
  await page.locator("#record[aria-pressed=true]").waitFor();
  await page.locator("#elapsed", { hasText: "0:02" }).waitFor();
  await accessible(page, "recording");
  await page.locator("#record").click();
  await page.locator("#recording").waitFor({ state: "hidden" });
  const { name, path } = await download(page.getByRole("link", { name: /Download Video.*of recording/ }).first());
  assert.match(name, /\.mp4$/);
  const probed = execFileSync("ffprobe", ["-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames,width:format=duration", "-of", "json", path]);
  const { streams: [stream], format } = JSON.parse(probed);
  assert(Number(stream.nb_read_frames) > 1 && Number(format.duration) >= 1.5, probed.toString());
  await accessible(page, "files");
  const [film] = await Promise.all([page.context().waitForEvent("page"), page.getByRole("link", { name: /Play recording/ }).first().click()]);
  await film.waitForFunction(() => document.querySelector("video")?.videoWidth > 0);
  await film.close();
});

test("nothing went wrong on the page meanwhile", () => {
  assert.deepEqual(page.wrongs, []);
});
