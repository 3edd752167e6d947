// Small things that every part of the page uses. Text from the board goes through textContent alone: a label is never
// markup.

/** The element with that id. */
export const at = (id) => document.getElementById(id);

/** Sets a text, and touches nothing where it is the same. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute, and touches nothing where it is the same. */
export function mark(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** An element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** One of the pictures at the head of the page. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Has a screen reader say something. Meant for what the user did and for what was lost, not for numbers. */
export function announce(text) {
  write(at("live"), text);
}

/** `act` at most once in `ms`, with the newest argument. */
export function calm(act, ms) {
  let newest;
  let timer = null;
  let last = -Infinity;
  return (value) => {
    newest = value;
    if (timer !== null) return;
    timer = setTimeout(() => {
      timer = null;
      last = performance.now();
      act(newest);
    }, Math.max(0, last + ms - performance.now()));
  };
}

/** A number with a true minus sign. */
export function number(value, digits) {
  return value.toFixed(digits).replace("-", "−");
}

/** Seconds as 0:12 or 1:02:03. */
export function duration(seconds) {
  const whole = Math.floor(seconds);
  const two = (part) => String(part).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** Bytes as people read them. */
export function size(bytes) {
  for (const [unit, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (bytes >= unit) return `${(bytes / unit).toFixed(bytes < 10 * unit ? 1 : 0)} ${name}`;
  }
  return `${bytes} B`;
}
