// The live picture, and what lies over it when there is none.

import { at, write } from "./dom.js";

/** While frames come but the picture stands still for this long, it is fetched anew. Milliseconds. */
const STALLED = 4000;
/** A picture that does not change for good reason (a still) is fetched anew ever more rarely. */
const STALLED_AT_MOST = 64000;
const SAMPLE = 48;

export class Picture {
  #figure = at("picture");
  #image = at("stream");
  #sample = Object.assign(document.createElement("canvas"), { width: SAMPLE, height: SAMPLE });
  #fetches = 0;
  #running = false;
  #pixels = "";
  #live = false;
  #moved = 0;
  #patience = STALLED;

  constructor() {
    this.#image.addEventListener("load", () => {
      this.#image.hidden = false;
    });
    this.#image.addEventListener("error", () => {
      this.#image.hidden = true;
      // Without an address there is nothing that could have failed.
      if (this.#running) setTimeout(() => this.#running && this.#fetch(), 2000);
    });
    setInterval(() => this.#watch(), 1000);
  }

  /** A status came: the board is there. */
  status(status) {
    const { frame, state, reason } = status;
    if (frame) this.#figure.style.setProperty("--ratio", `${frame.width} / ${frame.height}`);
    this.#live = state === "live";
    if (!this.#running) {
      this.#running = true;
      this.#fetch();
    }
    if (state === "lost") this.#veil("No signal", reason ?? "The camera sends nothing.");
    else if (state === "starting") this.#veil("Waiting for the camera", reason ?? "");
    else this.#unveil();
  }

  /** The board cannot be reached; the last picture stays, grey. */
  away(reason) {
    this.#running = false;
    this.#veil("Connection lost", reason);
  }

  /** Nobody looks: no picture is asked for. */
  sleep() {
    this.#running = false;
    this.#image.removeAttribute("src");
    this.#image.hidden = true;
    this.#veil("Connecting …", "");
  }

  #fetch() {
    this.#moved = performance.now();
    this.#image.src = `stream.mjpg?n=${++this.#fetches}`;
  }

  #veil(title, reason) {
    write(at("veil-title"), title);
    write(at("veil-reason"), reason);
    at("veil").hidden = false;
    this.#figure.classList.add("still");
  }

  #unveil() {
    at("veil").hidden = true;
    this.#figure.classList.remove("still");
  }

  // A browser does not tell that a stream has ended or stalled: its last picture just stays.
  #watch() {
    const now = performance.now();
    const was = this.#pixels;
    if (!this.#running || !this.#live || this.#image.hidden) {
      this.#moved = now;
      return;
    }
    const context = this.#sample.getContext("2d", { willReadFrequently: true });
    context.drawImage(this.#image, 0, 0, SAMPLE, SAMPLE);
    this.#pixels = context.getImageData(0, 0, SAMPLE, SAMPLE).data.join();
    if (this.#pixels !== was) {
      this.#moved = now;
      this.#patience = STALLED;
    } else if (now - this.#moved > this.#patience) {
      this.#patience = Math.min(this.#patience * 2, STALLED_AT_MOST);
      this.#fetch();
    }
  }
}
