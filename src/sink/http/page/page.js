// The page: what comes from the board goes to the parts, and what the user does goes to the board.

import { Classes } from "./classes.js";
import { Controls, Legend } from "./controls.js";
import { announce, at, calm, mark, number, write } from "./dom.js";
import { Files } from "./files.js";
import { control, follow, read } from "./link.js";
import { Picture } from "./picture.js";

/** Numbers change at most this often: faster ones cannot be read. Milliseconds. */
const READABLE = 400;
/** How long an error stays. */
const NOTE = 8000;

const WORDS = { starting: "starting", live: "live", frozen: "frozen", lost: "no signal", away: "no connection" };

const picture = new Picture();
const classes = new Classes(send);
const controls = new Controls(send);
const legend = new Legend();
const files = new Files();

let run = null;
/** The newest status of the run. An answer and an event may overtake each other on their way here. */
let newest = null;
let state = null;
let title = null;
let underWay = 0;
let failed = null;

/** Asks the board for a change, and shows what came of it. Returns whether it was done. */
async function send(change) {
  underWay++;
  try {
    const answer = await control(change);
    underWay--;
    failed = null;
    show(answer);
    return true;
  } catch (error) {
    underWay--;
    failed = { text: error.message, until: performance.now() + NOTE };
    note(failed.text, true);
    return false;
  }
}

/** Shows a status, or the newest that is known. While a request is under way the controls stay as the user has set them. */
function show(told) {
  if (told.run !== run) return meet(told);
  if (newest?.run !== run || told.number >= newest.number) newest = told;
  const status = newest;
  picture.status(status);
  classes.status(status);
  if (underWay === 0) {
    classes.lists();
    controls.status(status);
  }
  legend.status(status);
  files.status(status);
  numbers(status);
  enter(status.state, status.reason);
  describe(status.target);
  if (failed && performance.now() < failed.until) return;
  failed = null;
  note(status.note, false);
}

/** A program that is new to the page: first what it knows of its model. */
async function meet(status) {
  if (run === `${status.run} …`) return;
  run = `${status.run} …`;
  try {
    const model = await read("model.json");
    for (const part of [classes, controls, legend]) part.model(model);
    write(at("model"), model.model);
    run = model.run;
    show(status);
  } catch {
    run = null;
  }
}

const numbers = calm((status) => {
  const { camera_fps: camera, network_fps: network, map_age_ms: age } = status;
  write(at("camera-fps"), number(camera, 1));
  write(at("network-fps"), number(network, 1));
  write(at("age"), age === null ? "–" : String(Math.round(age)));
  write(at("dropped"), String(status.dropped));
  write(at("camera"), status.source);
  write(at("source"), status.source);
  write(at("wire"), status.layer_wire);
  write(at("viewers"), String(status.viewers));
  write(at("version"), status.version);
}, READABLE);

/** Shows the state, and has it said when it is another one. */
function enter(now, reason) {
  mark(at("state"), "data-state", now);
  write(at("state-words"), WORDS[now] ?? now);
  if (now === state) return;
  const first = state === null;
  state = now;
  if (!first || now !== "live") announce(`${WORDS[now] ?? now}${reason ? `: ${reason}` : ""}`);
}

/** Says in words what the picture shows. */
function describe(target) {
  const now = target ? target.label + (target.against ? ` rather than ${target.against.label}` : "") : null;
  if (now === title) return;
  title = now;
  at("stream").alt = now ? `Live picture; the heat shows what speaks for ${now}` : "Live picture";
}

function note(text, bad) {
  const place = at("note");
  place.hidden = !text;
  if (!text || place.textContent === text) return;
  place.textContent = text;
  place.classList.toggle("bad", bad);
  announce(text);
}

follow({
  status: show,
  away(reason) {
    picture.away(reason);
    for (const id of ["camera-fps", "network-fps", "age"]) write(at(id), "–");
    enter("away", reason);
  },
  asleep() {
    picture.sleep();
  },
});
