// Recordings and snapshots on the board, to look at and to download.

import { at, icon, make, size, write } from "./dom.js";
import { read } from "./link.js";

/** What the parts of a recording or snapshot are, by the end of their name, in the order in which they are shown. */
const PARTS = [
  [".mp4", "Video"], [".jsonl", "Numbers"], [".maps", "Maps"],
  [".png", "View"], [".raw.png", "Frame"], [".npy", "Map"], [".json", "Numbers"],
];
const TITLES = { recording: "Recording", snapshot: "Snapshot" };

function describe(name) {
  // NAME.raw.png ends in .png too; what leaves the shorter stem is meant.
  const fitting = PARTS.filter(([end]) => name.endsWith(end)).sort(([a], [b]) => b.length - a.length);
  const [end, title] = fitting[0] ?? ["", "File"];
  return { stem: name.slice(0, name.length - end.length), title, rank: PARTS.findIndex(([other]) => other === end) };
}

export class Files {
  #seen = null;
  #drawn = "";

  /** Reads the list again when the board says that it changed. */
  async status({ run, files }) {
    const seen = `${run} ${files}`;
    if (this.#seen === seen) return;
    this.#seen = seen;
    try {
      this.#show((await read("files.json")).files);
    } catch {
      // The next status asks again.
      if (this.#seen === seen) this.#seen = null;
    }
  }

  #show(files) {
    const drawn = JSON.stringify(files);
    if (this.#drawn === drawn) return;
    this.#drawn = drawn;
    const groups = new Map();
    for (const file of files) {
      const about = describe(file.name);
      const key = `${file.kind} ${about.stem}`;
      if (!groups.has(key)) groups.set(key, { kind: file.kind, stem: about.stem, modified: file.modified, parts: [] });
      groups.get(key).parts.push({ ...file, ...about });
    }
    at("no-files").hidden = files.length > 0;
    const focused = document.activeElement?.dataset?.file;
    at("files").replaceChildren(...[...groups.values()].map(row));
    if (focused) at("files").querySelector(`[data-file="${CSS.escape(focused)}"]`)?.focus();
  }
}

/** For those who cannot see beside what it stands. */
const unseen = (textContent) => make("span", { className: "unseen", textContent });

function row({ kind, stem, modified, parts }) {
  const when = new Date(modified * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const name = make("p", { className: "name" }, TITLES[kind] ?? kind, make("small", { className: "number", textContent: when }));
  const file = make("p", { className: "hint number", textContent: stem });
  const links = make("div", { className: "parts" });
  const item = make("li", {}, name, file, links);
  for (const part of parts.sort((a, b) => a.rank - b.rank)) {
    if (part.open) {
      links.append(make("span", { className: "writing", textContent: `${part.title}: being written` }));
      continue;
    }
    const address = `files/${encodeURIComponent(part.id)}`;
    if (part.title === "Video") links.append(show(address, icon("play"), "Play", unseen(` ${kind} ${stem}`)));
    if (part.title === "View") {
      const picture = make("img", { src: `${address}?show`, alt: `${TITLES[kind]} ${stem}`, loading: "lazy", width: 88, height: 66 });
      item.classList.add("pictured");
      item.prepend(show(address, picture));
    }
    const bytes = make("small", { className: "number", textContent: size(part.bytes) });
    const link = make("a", { href: address, download: part.name },
      icon("download"), unseen("Download "), `${part.title} `, bytes, unseen(` of ${kind} ${stem}`));
    link.dataset.file = part.id;
    links.append(link);
  }
  return item;
}

/** A link that opens a file beside the page. */
function show(address, ...children) {
  return make("a", { href: `${address}?show`, target: "_blank", rel: "noopener", className: "show" }, ...children);
}
