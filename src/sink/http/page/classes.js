// What the network sees, and which class is explained.

import { Combobox } from "./combobox.js";
import { at, make, number, write } from "./dom.js";

/** Below this gate the network recognises nothing (docs/browser.md). */
const RECOGNISED = 0.1;
const ROWS = 5;
/** How long what was asked for may take to be explained. Milliseconds. */
const PATIENCE = 10000;

const percent = (share) => `${share > 0 && share < 0.01 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`;

export class Classes {
  #rows = [];
  #send;
  #target = null;
  #locked = false;
  /** What the user asked for, until a map of it comes: a status tells of the map before it meanwhile. */
  #asked = null;

  /** `send` changes what the board shows, and tells whether it did. */
  constructor(send) {
    this.#send = send;
    for (let rank = 0; rank < ROWS; rank++) this.#rows.push(this.#row());
    at("top").append(...this.#rows.map((row) => row.item));
    this.explain = new Combobox(at("explain"), {
      label: "Explain",
      placeholder: "any class: type to search",
      clear: "Follow the best class again",
      choose: (chosen) => this.#explain(chosen, chosen === null ? null : this.#against()),
    });
    this.against = new Combobox(at("against"), {
      label: "Rather than",
      placeholder: "nothing: the class by itself",
      clear: "No contrast",
      choose: (chosen) => this.#present() !== null && this.#explain(this.#present(), chosen),
    });
    at("follow").addEventListener("change", ({ target }) => {
      if (target.checked) this.#explain(null, null);
      else if (this.#target) this.#explain(this.#target.class, null);
    });
  }

  #row() {
    const label = make("span", { className: "label" });
    const tag = make("span", { className: "tag", hidden: true });
    const share = make("span", { className: "share number" });
    const fill = make("span", { className: "fill" });
    const button = make("button", { type: "button" }, label, tag, share, make("span", { className: "track" }, fill));
    const row = { item: make("li", { hidden: true }, button), button, label, tag, share, fill, class: null };
    button.addEventListener("click", () => this.#explain(row.class, null));
    return row;
  }

  /** The class that is explained, or will be. */
  #present() {
    return this.#asked?.class ?? this.#target?.class ?? null;
  }

  /** The class that it is held against, where both were chosen. */
  #against() {
    if (this.#asked) return this.#asked.against;
    return this.#locked ? this.#target?.against?.class ?? null : null;
  }

  // By number: labels may be alike, or have a minus sign of their own.
  async #explain(chosen, opposed) {
    const against = opposed === chosen ? null : opposed;
    const asked = { class: chosen, against, until: performance.now() + PATIENCE };
    this.#asked = asked;
    const done = await this.#send({ target: against === null ? chosen : `${chosen}-${against}` });
    if (!done && this.#asked === asked) this.#asked = null;
  }

  /** Whether the map is the one that was asked for. */
  #met() {
    const { class: chosen, against, until } = this.#asked;
    if (performance.now() > until) return true;
    if (chosen === null) return !this.#locked;
    return this.#target?.class === chosen && (this.#target.against?.class ?? null) === against;
  }

  /** Sets the two lists and the switch as the last status has it. */
  lists() {
    if (this.#asked && this.#met()) this.#asked = null;
    const chosen = this.#asked ? this.#asked.class : this.#locked ? this.#target?.class ?? null : null;
    at("follow").checked = this.#asked ? chosen === null : !this.#locked;
    this.explain.chosen = chosen;
    this.against.without = this.#present();
    this.against.chosen = this.#against();
  }

  /** What does not change while the board's program runs. */
  model({ labels }) {
    this.explain.labels = labels;
    this.against.labels = labels;
  }

  status({ state, target, locked, top, gate, map, drop_test: test }) {
    this.#target = target;
    this.#locked = locked;
    const recognised = gate >= RECOGNISED;
    const against = target?.against ?? null;
    const name = at("target");
    write(name, this.#title(target, recognised));
    name.classList.toggle("none", !target || !recognised);
    write(at("score"), target ? number(target.score, 2) : "–");
    at("top").classList.toggle("faint", !recognised || !map);
    this.#rows.forEach((row, rank) => {
      const ranked = top[rank];
      row.item.hidden = !ranked;
      if (!ranked) return;
      row.class = ranked.class;
      const explained = ranked.class === target?.class;
      const opposed = ranked.class === against?.class;
      write(row.label, ranked.label);
      write(row.share, percent(ranked.probability));
      write(row.tag, opposed ? "against" : "explained");
      row.tag.hidden = !explained && !opposed;
      row.item.classList.toggle("explained", explained);
      row.item.classList.toggle("against", opposed);
      row.fill.style.transform = `scaleX(${Math.min(1, Math.max(0, ranked.probability))})`;
    });
    write(at("drop"), this.#drop(state === "frozen", test));
  }

  #drop(frozen, test) {
    if (!frozen) return "Freeze the picture for a drop test of the map.";
    if (!test) return "";
    const [masked, random] = [test.masked, test.random].map((fall) => number(fall, 2));
    return `Drop test: hiding the ${test.cells} hot cells takes ${masked} from the score, as many at random ${random}.`;
  }

  #title(target, recognised) {
    if (!target) return "waiting for the first map";
    if (target.against) return `${target.label} − ${target.against.label}`;
    return recognised ? target.label : "nothing recognised";
  }
}
