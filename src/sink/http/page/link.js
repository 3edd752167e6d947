// The way to the board: what it shows, as it changes, and requests to it.

/** An event comes every 2 s at least; after this long without one the connection is lost. Milliseconds. */
const SILENCE = 6000;
/** How long to wait before each attempt to reach the board again; the last holds for all that follow. */
const BACK_OFF = [300, 1000, 2000, 4000, 8000];
/** An answer that takes longer does not come. */
const PATIENCE = 8000;

async function ask(path, request = {}) {
  let response;
  try {
    response = await fetch(path, { ...request, signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
  } catch {
    throw new Error("The board does not answer. Is it on, is the program running, and is this device in its network?");
  }
  // Without its token the address answers with the page that asks for it.
  if (response.status === 401) location.reload();
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The board answered with status ${response.status}.`);
  return answer;
}

/** The JSON at `path`. Fails with a sentence for the user. */
export const read = (path) => ask(path);

/** Changes what is shown; the status after the change. Fails with a sentence for the user. */
export function control(change) {
  const headers = { "Content-Type": "application/json" };
  return ask("control", { method: "POST", headers, body: JSON.stringify(change) });
}

/**
 * Calls `status` with each status of the board and `away` with the reason whenever the connection is lost, and connects
 * again. A page that nobody sees holds no connection: `asleep` is called, and it connects when it is seen again.
 */
export function follow({ status, away, asleep }) {
  let events = null;
  let timer = null;
  let attempts = 0;

  const after = (ms, act) => {
    clearTimeout(timer);
    timer = setTimeout(act, ms);
  };
  const close = () => {
    events?.close();
    events = null;
  };

  function lost(reason) {
    close();
    away(reason);
    after(BACK_OFF[Math.min(attempts++, BACK_OFF.length - 1)], reach);
  }

  // An EventSource does not tell why it failed; a request does.
  async function reach() {
    clearTimeout(timer);
    try {
      await read("status.json");
    } catch (error) {
      if (!document.hidden) lost(error.message);
      return;
    }
    if (!document.hidden) listen();
  }

  function listen() {
    close();
    const mine = new EventSource("events");
    events = mine;
    const silent = () => lost("The board has fallen silent.");
    after(SILENCE, silent);
    mine.addEventListener("status", ({ data }) => {
      if (events !== mine) return;
      attempts = 0;
      after(SILENCE, silent);
      status(JSON.parse(data));
    });
    mine.addEventListener("error", () => {
      if (events === mine) lost("The connection to the board broke off.");
    });
  }

  document.addEventListener("visibilitychange", () => {
    attempts = 0;
    if (document.hidden) {
      clearTimeout(timer);
      close();
      asleep();
    } else {
      reach();
    }
  });
  addEventListener("online", () => {
    if (events === null && !document.hidden) reach();
  });
  if (!document.hidden) reach();
}
