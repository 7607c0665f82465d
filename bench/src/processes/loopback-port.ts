import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** Below the range that systems use for outgoing connections (from 32,768), so that a port stays free until it is bound. */
const lowest = 20_000;
const highest = 32_000;

/** A free loopback port, for a program that must know its port before it starts. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) return port;
  }
  throw new Error("no free port found");
}

/** Waits at most 10 s until a program listens on the port. */
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
