import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** Systems lend ports to connections from 32,768 upwards: one from below is still free when it is bound later, and again. */
const lowest = 20_000;
const highest = 32_000;

/** A loopback port for a program that must know it before it starts. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) return port;
  }
  throw new Error("no free port found");
}

/** Waits until somebody listens on the port, for at most 10 s. */
export async function untilListening(port: number, program: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await answers(port))) {
    if (performance.now() > end) throw new Error(`${program} did not listen within 10 s`);
    await delay(20);
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
