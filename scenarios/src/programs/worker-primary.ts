import cluster, { type Worker } from "node:cluster";
import { join } from "node:path";

/*
 * The primary of a node of several processes behind one port: forks workers of the program `node`, and passes
 * commands on to them.
 */

type Command =
  | { readonly kind: "start" }
  | { readonly kind: "signal"; readonly worker: number; readonly signal: NodeJS.Signals }
  | { readonly kind: "ended"; readonly worker: number }
  | { readonly kind: "call"; readonly worker: number; readonly call: unknown };

interface Reply {
  readonly number: number;
  readonly result?: unknown;
  readonly error?: string;
}

cluster.setupPrimary({ exec: join(import.meta.dirname, "node.js") });
const workers: Worker[] = [];
const ended: Promise<unknown>[] = [];
const waiting = new Map<number, (reply: Reply) => void>();
let lastCall = 0;

async function start(): Promise<number> {
  const worker = cluster.fork();
  const index = workers.push(worker) - 1;
  ended.push(new Promise((resolve) => worker.once("exit", resolve)));
  await new Promise<void>((resolve) => {
    worker.on("message", (reply: Reply) => {
      if (reply.number === 0) resolve();
      waiting.get(reply.number)?.(reply);
      waiting.delete(reply.number);
    });
  });
  return index;
}

function call(index: number, what: unknown): Promise<unknown> {
  const number = ++lastCall;
  return new Promise((resolve, reject) => {
    waiting.set(number, ({ result, error }) => {
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
    workers[index]?.send({ number, call: what });
  });
}

function perform(command: Command): Promise<unknown> | undefined {
  switch (command.kind) {
    case "start":
      return start();
    case "signal":
      process.kill(workers[command.worker]?.process.pid ?? 0, command.signal);
      return undefined;
    case "ended":
      return ended[command.worker];
    case "call":
      return call(command.worker, command.call);
  }
}

process.on("message", async (message: { readonly number: number; readonly call: Command }) => {
  const { number } = message;
  try {
    process.send?.({ number, result: (await perform(message.call)) ?? null });
  } catch (error) {
    process.send?.({ number, error: String(error) });
  }
});
// The test has ended. A stopped worker does not notice.
process.once("disconnect", () => {
  for (const worker of workers) worker.process.kill("SIGKILL");
  process.exit();
});
process.send?.({ number: 0, result: "ready" });
