// The program on a board, and a network camera that comes and goes.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const WORK = path.join(ROOT, "target/browser");
const PROGRAM = process.env.GRADCAM_PROGRAM ?? path.join(ROOT, "target/release/gradcam");

/** How long anything may take; what takes longer does not come. Milliseconds. */
export const PATIENCE = 60000;

/** `gradcam live --headless --serve`, in a folder of its own. */
export class Board {
  /** Starts it; `address` is where its page is. */
  static async start({ source = "demo", serve = "127.0.0.1:0", args = [] } = {}) {
    mkdirSync(WORK, { recursive: true });
    const board = new Board();
    board.folder = mkdtempSync(path.join(WORK, "board-"));
    board.options = ["live", "--headless", "--source", source, ...args];
    await board.#spawn(serve);
    return board;
  }

  async #spawn(serve) {
    const child = spawn(PROGRAM, [...this.options, "--serve", serve], { cwd: this.folder, stdio: ["ignore", "ignore", "pipe"] });
    this.child = child;
    process.once("exit", () => child.kill("SIGKILL"));
    this.said = "";
    this.ended = once(child, "exit");
    const address = new Promise((found, failed) => {
      createInterface({ input: child.stderr }).on("line", (line) => {
        this.said += `${line}\n`;
        const [url] = line.match(/http:\/\/\S+/) ?? [];
        if (url) found(url);
      });
      child.on("error", failed);
      child.on("exit", () => failed(new Error(`the program ended:\n${this.said}`)));
    });
    this.address = await address;
    this.url = new URL(this.address);
  }

  /** JSON of one of its routes, as it is without a browser. */
  async read(route) {
    const response = await fetch(new URL(route, this.url));
    if (!response.ok) throw new Error(`${route}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** Asks for a change, as another client does. */
  async control(change) {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(new URL("control", this.url), { method: "POST", headers, body: JSON.stringify(change) });
    if (!response.ok) throw new Error(`control: ${response.status} ${await response.text()}`);
  }

  /** A number of its metrics. */
  async metric(name) {
    const text = await (await fetch(new URL("metrics", this.url))).text();
    return Number(text.match(new RegExp(`^gradcam_${name} (.*)$`, "m"))[1]);
  }

  /** Waits until the camera has sent so many more frames. */
  async frames(more) {
    const end = (await this.metric("frames_total")) + more;
    for (const late = Date.now() + PATIENCE; (await this.metric("frames_total")) < end; ) {
      if (Date.now() > late) throw new Error(`the camera sends nothing:\n${this.said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Reads a route until `wanted` holds of it. */
  async until(route, wanted) {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const value = await this.read(route).catch((error) => error);
      if (!(value instanceof Error) && (await wanted(value))) return value;
      if (Date.now() > end) throw new Error(`${route} never was as expected; last: ${JSON.stringify(value) ?? value}\n${wanted}\n${this.said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits, while it is frozen, until the map is that of the frozen frame. Returns the status. */
  async settled() {
    const { frame } = await this.until("status.json", ({ state }) => state === "frozen");
    await this.until("map.json", (map) => map.frame.number === frame.number);
    return this.read("status.json");
  }

  /** Kills it as a power cut would. */
  async kill() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGCONT");
    this.child.kill("SIGKILL");
    await this.ended;
  }

  /** Starts it again at the same address. */
  async again() {
    await this.#spawn(this.url.host);
  }
}

const PICTURE = readFileSync(path.join(ROOT, "src/source/demo/chelsea.jpg"));

/** A camera on the network that sends MJPEG. */
export class Camera {
  #port = 0;
  #server = null;

  async start() {
    this.#server = http.createServer((_, response) => {
      response.writeHead(200, { "Content-Type": "multipart/x-mixed-replace; boundary=picture" });
      const send = () => {
        response.write(`--picture\r\nContent-Type: image/jpeg\r\nContent-Length: ${PICTURE.length}\r\n\r\n`);
        response.write(PICTURE);
        response.write("\r\n");
      };
      const timer = setInterval(send, 100);
      response.on("close", () => clearInterval(timer));
      send();
    });
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = this.#server.address().port;
    this.address = `http://127.0.0.1:${this.#port}/`;
  }

  /** Nobody answers any more, and what was connected is cut. */
  async vanish() {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
