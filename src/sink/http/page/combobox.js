// One label out of many, found by typing: the combobox with a listbox of the ARIA Authoring Practices.

import { announce, icon, make, mark, write } from "./dom.js";

/** How many options are made at a time; scrolling makes more. */
const CHUNK = 60;
const SAY_COUNT = 700;

/** Letters without accents and case. */
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** How well a label fits: is the text, has it as whole words, begins with it, has a word that does, has it somewhere. */
function rank(label, text) {
  if (label === text) return 0;
  if (` ${label} `.replaceAll(",", " ").includes(` ${text} `)) return 1;
  if (label.startsWith(text)) return 2;
  return label.includes(` ${text}`) ? 3 : 4;
}

export class Combobox {
  #labels = [];
  #plain = [];
  #chosen = null;
  #without = null;
  #found = [];
  #made = 0;
  #active = -1;
  #typed = false;
  #counting = null;
  #choose;

  /** Fills `root`. `choose` is called with a class number, or with null when the choice is taken back. */
  constructor(root, { label, placeholder, clear, choose }) {
    const id = root.id;
    this.id = id;
    this.#choose = choose;
    this.input = make("input", { id: `${id}-input`, type: "text", placeholder, autocomplete: "off", spellcheck: false });
    const attributes = { role: "combobox", "aria-expanded": "false", "aria-controls": `${id}-list`, "aria-autocomplete": "list", autocapitalize: "none", enterkeyhint: "done" };
    for (const [name, value] of Object.entries(attributes)) this.input.setAttribute(name, value);
    this.list = make("ul", { id: `${id}-list`, hidden: true });
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", label);
    this.clear = make("button", { type: "button", className: "clear", hidden: true }, icon("clear"));
    this.clear.setAttribute("aria-label", clear);
    const open = make("button", { type: "button", className: "open", tabIndex: -1 }, icon("open"));
    open.setAttribute("aria-label", `${label}: all classes`);
    const box = make("div", { className: "combobox" }, this.input, this.clear, open, this.list);
    root.append(make("label", { htmlFor: this.input.id, textContent: label }), box);

    this.input.addEventListener("input", () => {
      this.#open();
      this.#typed = true;
      this.#search();
    });
    this.input.addEventListener("focus", () => this.input.select());
    this.input.addEventListener("click", () => this.#open());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("blur", () => this.#close());
    open.addEventListener("mousedown", (event) => event.preventDefault());
    open.addEventListener("click", () => {
      const was = this.list.hidden;
      this.input.focus();
      if (was) this.#open();
      else this.#close();
    });
    this.clear.addEventListener("click", () => {
      this.input.focus();
      this.#close();
      choose(null);
    });
    // The text field keeps the focus while the list is used.
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", ({ target }) => {
      const option = target.closest("[data-class]");
      if (option) this.#take(Number(option.dataset.class));
    });
    this.list.addEventListener("scroll", () => {
      if (this.list.scrollTop + 2 * this.list.clientHeight > this.list.scrollHeight) this.#more();
    });
  }

  /** The labels, by class number. */
  set labels(labels) {
    this.#labels = labels;
    this.#plain = labels.map(plain);
    if (!this.list.hidden) this.#search();
  }

  /** The class that is chosen, or null. What the user is typing stays. */
  set chosen(chosen) {
    this.#chosen = chosen;
    this.clear.hidden = chosen === null;
    if (this.list.hidden) this.#show();
  }

  /** A class that cannot be chosen, or null. */
  set without(without) {
    this.#without = without;
  }

  #show() {
    const text = this.#chosen === null ? "" : this.#labels[this.#chosen] ?? "";
    if (this.input.value !== text) this.input.value = text;
  }

  #open() {
    if (!this.list.hidden) return;
    this.#typed = false;
    this.list.hidden = false;
    mark(this.input, "aria-expanded", true);
    this.#search();
    const here = this.#found.indexOf(this.#chosen);
    if (here >= 0) this.#go(here);
    this.list.scrollIntoView({ block: "nearest" });
  }

  #close() {
    if (this.list.hidden) return;
    clearTimeout(this.#counting);
    this.list.hidden = true;
    mark(this.input, "aria-expanded", false);
    this.input.removeAttribute("aria-activedescendant");
    this.#active = -1;
    this.#show();
  }

  #take(number) {
    this.#close();
    // Shown at once; the board's next status confirms it.
    this.chosen = number;
    this.#choose(number);
  }

  /** Labels that contain every word that was typed, best first: see `rank`. */
  #search() {
    const text = this.#typed ? plain(this.input.value.trim()) : "";
    const words = text.split(/\s+/);
    const ranks = [[], [], [], [], []];
    this.#plain.forEach((label, number) => {
      if (number === this.#without) return;
      if (text === "" || text === String(number)) ranks[0].push(number);
      else if (words.every((word) => label.includes(word))) ranks[rank(label, text)].push(number);
    });
    this.#found = ranks.flat();
    this.#made = 0;
    this.#active = -1;
    this.input.removeAttribute("aria-activedescendant");
    this.list.replaceChildren();
    this.list.scrollTop = 0;
    this.#more();
    if (this.#found.length === 0) {
      const none = make("li", { className: "none", textContent: "No class has that in its label" });
      // A listbox may hold nothing but options.
      for (const [name, value] of [["role", "option"], ["aria-disabled", true], ["aria-selected", false]]) none.setAttribute(name, value);
      this.list.append(none);
    } else if (text !== "") {
      this.#go(0);
    }
    clearTimeout(this.#counting);
    const count = this.#found.length;
    this.#counting = setTimeout(() => announce(count === 1 ? "1 class" : `${count} classes`), SAY_COUNT);
  }

  #more() {
    const end = Math.min(this.#made + CHUNK, this.#found.length);
    const options = this.#found.slice(this.#made, end).map((number, place) => {
      const text = make("span", { textContent: this.#labels[number] });
      const option = make("li", { id: `${this.id}-${number}` }, text, make("small", { className: "number", textContent: number }));
      option.dataset.class = number;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", number === this.#chosen);
      option.setAttribute("aria-setsize", this.#found.length);
      option.setAttribute("aria-posinset", this.#made + place + 1);
      return option;
    });
    this.list.append(...options);
    this.#made = end;
  }

  #go(place) {
    while (this.#made <= place && this.#made < this.#found.length) this.#more();
    this.list.querySelector(".active")?.classList.remove("active");
    this.#active = place;
    const option = this.list.children[place];
    option.classList.add("active");
    // By hand: scrollIntoView would move the page too.
    if (option.offsetTop < this.list.scrollTop) this.list.scrollTop = option.offsetTop;
    const below = option.offsetTop + option.offsetHeight - this.list.clientHeight;
    if (below > this.list.scrollTop) this.list.scrollTop = below;
    mark(this.input, "aria-activedescendant", option.id);
  }

  #key(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    const opened = !this.list.hidden;
    const last = this.#found.length - 1;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp": {
        const down = event.key === "ArrowDown";
        if (!opened) this.#open();
        else if (last >= 0) this.#go(down ? (this.#active >= last ? 0 : this.#active + 1) : (this.#active <= 0 ? last : this.#active - 1));
        break;
      }
      case "PageDown":
      case "PageUp":
        if (!opened || last < 0) return;
        this.#go(Math.max(0, Math.min(last, this.#active + (event.key === "PageDown" ? 6 : -6))));
        break;
      case "Enter":
        if (!opened || this.#active < 0) return;
        this.#take(this.#found[this.#active]);
        break;
      case "Escape":
        if (!opened) return;
        this.#close();
        this.input.select();
        break;
      default:
        return;
    }
    event.preventDefault();
  }
}
