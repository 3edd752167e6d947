// Everything that can be set beside the class: the picture, the method, the look of the heat.

import { at, duration, make, mark, number, write } from "./dom.js";

/** How long another method may take to give its first map. Milliseconds. */
const PATIENCE = 10000;

/** Which of the toolbar's buttons is pressed while the status says what. */
const TOGGLES = {
  freeze: (status) => status.state === "frozen",
  heat: (status) => status.look.heat,
  record: (status) => status.recording !== null,
};

export class Controls {
  #send;
  #methods = [];
  #layers = [];
  #sliding = false;
  /** The method that the user asked for, until a map of it comes: a status tells of the map before it meanwhile. */
  #asked = null;

  /** `send` changes what the board shows, and tells whether it did. */
  constructor(send) {
    this.#send = send;
    for (const name of Object.keys(TOGGLES)) {
      at(name).addEventListener("click", () => send({ [name]: at(name).getAttribute("aria-pressed") !== "true" }));
    }
    at("snapshot").addEventListener("click", () => send({ snapshot: true }));
    at("method").addEventListener("change", ({ target }) => this.#choose(target.value));
    at("layer").addEventListener("change", ({ target }) => send({ layer: target.value }));
    for (const name of ["signed", "flip"]) at(name).addEventListener("change", ({ target }) => send({ [name]: target.checked }));
    at("colormaps").addEventListener("change", ({ target }) => send({ colormap: target.value }));
    at("opacity").addEventListener("input", () => this.#slide());
  }

  async #choose(method) {
    const asked = { method, until: performance.now() + PATIENCE };
    this.#asked = asked;
    if (!await this.#send({ method }) && this.#asked === asked) this.#asked = null;
  }

  // While the slider moves, one request is under way at a time, and the newest place follows it.
  async #slide() {
    this.#opacity(at("opacity").valueAsNumber);
    if (this.#sliding) return;
    this.#sliding = true;
    for (let sent = null; sent !== at("opacity").valueAsNumber;) {
      sent = at("opacity").valueAsNumber;
      await this.#send({ opacity: sent / 100 });
    }
    this.#sliding = false;
  }

  #opacity(percent) {
    write(at("opacity-value"), `${percent} %`);
    mark(at("opacity"), "aria-valuetext", `${percent} %`);
  }

  /** What does not change while the board's program runs. */
  model({ methods, layers, colormaps }) {
    this.#methods = methods;
    this.#layers = layers;
    const options = (items, text) => items.map((item) => make("option", { value: item.name, textContent: text(item) }));
    at("method").replaceChildren(...options(methods, ({ title }) => title));
    at("layer").replaceChildren(...options(layers, (layer) => `${layer.name}, ${layer.width}×${layer.height} cells`));
    at("layer").disabled = layers.length < 2;
    at("colormaps").replaceChildren(...colormaps.map(({ name, colours }) => {
      const strip = make("span", { className: "strip" });
      strip.style.background = gradient(colours);
      const radio = make("input", { type: "radio", name: "colormap", value: name });
      return make("label", {}, radio, strip, name);
    }));
  }

  status(status) {
    for (const [name, pressed] of Object.entries(TOGGLES)) mark(at(name), "aria-pressed", pressed(status));
    this.#recording(status.recording);
    this.#method(status);
    this.#layer(status);
    const { look } = status;
    if (!this.#sliding) {
      const percent = Math.round(look.opacity * 100);
      if (at("opacity").valueAsNumber !== percent) at("opacity").value = percent;
      this.#opacity(percent);
    }
    at("signed").checked = look.signed;
    at("flip").checked = look.flip;
    const radio = at("colormaps").querySelector(`[value="${CSS.escape(look.colormap)}"]`);
    if (radio) radio.checked = true;
  }

  #recording(recording) {
    at("recording").hidden = recording === null;
    if (recording === null) return;
    write(at("elapsed"), duration(recording.elapsed));
    write(at("lost"), `${recording.dropped} lost`);
    at("lost").hidden = recording.dropped === 0;
  }

  // Which methods certainly give the same map depends on the layer too: it is said of the present ones.
  #method({ method, same }) {
    if (this.#asked && (this.#asked.method === method || performance.now() > this.#asked.until)) this.#asked = null;
    const shown = this.#asked?.method ?? method;
    if (at("method").value !== shown) at("method").value = shown;
    const others = same.map((name) => this.#methods.find((other) => other.name === name)?.title ?? name);
    write(at("same"), others.length > 0 ? `${others.join(" and ")} ${others.length > 1 ? "give" : "gives"} the same map here.` : "A map of its own.");
    const about = this.#methods.find(({ name }) => name === method);
    write(at("signed-about"), about && !about.signed ? `${about.title} has no values against a class` : "blue speaks against it, red for it");
  }

  #layer({ layer, layer_loading: loading, recording }) {
    const shown = loading ?? layer;
    if (at("layer").value !== shown) at("layer").value = shown;
    at("layer").disabled = this.#layers.length < 2 || recording !== null;
    const about = loading !== null ? "Being loaded: the maps are still those of the layer before."
      : recording !== null ? "Stays as it is while a recording runs."
      : this.#layers.length < 2 ? "Fixed at the start of the program (--layer)."
      : "Earlier layers have finer cells and simpler features.";
    write(at("layer-about"), about);
  }
}

/** A CSS gradient through evenly spaced colours. */
export function gradient(colours) {
  return `linear-gradient(to right, ${colours.join(", ")})`;
}

/** The colour bar: the colours of the heat, with their numbers in the map's unit. */
export class Legend {
  #model = null;

  model(model) {
    this.#model = model;
  }

  status({ look, map, method }) {
    if (!this.#model) return;
    const about = this.#model.methods.find(({ name }) => name === method);
    const signed = look.signed && (about?.signed ?? false);
    const colours = signed ? this.#model.signed_colours : this.#model.colormaps.find(({ name }) => name === look.colormap)?.colours;
    const image = colours ? gradient(colours) : "none";
    const bar = at("bar");
    if (bar.dataset.image !== image) {
      bar.dataset.image = image;
      bar.style.backgroundImage = image;
    }
    at("legend").classList.toggle("off", !look.heat);
    const full = map ? number(map.scale, 2) : "–";
    const low = signed && map ? number(-map.scale, 2) : "0";
    const unit = !look.heat ? "heat is off" : !map ? "–" : map.unit === "score" ? "parts of the score" : "relative";
    write(at("low"), low);
    write(at("high"), full);
    write(at("unit"), unit);
    mark(at("legend"), "aria-label", `Colours of the heat, from ${low} to ${full}, ${unit}`);
  }
}
