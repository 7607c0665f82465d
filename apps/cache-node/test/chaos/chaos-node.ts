import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { inject } from "vitest";
import { notesVariable } from "./service-note.ts";
import { soon } from "./soon.ts";

/** A node of the cache in a process of its own. */
export interface ChaosNode {
  readonly id: string;
  /** In the ring: its id, unless two processes go by one name. */
  readonly name: string;
  readonly url: string;
  /** Resolves when it is a member of the ring; rejects when it ends before. */
  readonly joined: Promise<void>;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | NodeJS.Signals>;
  send(signal: NodeJS.Signals): void;
}

export interface ChaosNodeOptions {
  readonly id: string;
  readonly name: string;
  readonly args: readonly string[];
  /** Where it appends its notes and its log. */
  readonly notesFile: string;
  readonly logFile: string;
}

/** Starts a node on a free port and waits until it listens. */
export async function startChaosNode(options: ChaosNodeOptions): Promise<ChaosNode> {
  const { id, name, args, notesFile, logFile } = options;
  const log = openSync(logFile, "a");
  const child = spawn(
    process.execPath,
    [join(inject("programs"), "noting-node.js"), "--node", name, "--http", "127.0.0.1:0", ...args],
    {
      env: { PATH: process.env.PATH ?? "", [notesVariable]: notesFile },
      // A node whose test has crashed ends by itself, because its channel is closed.
      stdio: ["ignore", log, log, "ipc"],
    },
  );
  closeSync(log);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("close", (code, signal) => {
      resolve(signal ?? code ?? -1);
    });
  });
  const joined = hear(child, { ended, has: "joined" }).then(() => {});
  // A test need not wait until the node has joined.
  joined.catch(() => {});
  const port = await soon(hear(child, { ended, has: "port" }), `node ${id} is to listen`);
  return {
    id,
    name,
    url: `http://127.0.0.1:${port}`,
    joined,
    ended,
    send: (signal) => void child.kill(signal),
  };
}

function hear(
  child: ChildProcess,
  { ended, has }: { readonly ended: Promise<unknown>; readonly has: string },
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.on("message", (message) => {
      if (typeof message !== "object" || message === null || !(has in message)) return;
      resolve((message as Readonly<Record<string, unknown>>)[has]);
    });
    void ended.then((how) => reject(new Error(`the node ended with ${how} before it was ${has}`)));
  });
}
