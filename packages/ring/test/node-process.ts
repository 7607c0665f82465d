import { type ChildProcess, fork } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsup";
import type { RingOptions, RingState } from "../src/index.ts";
import type { NodeCommand, NodeReply } from "./programs/ring-node.ts";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));

/** A bundle of the test's own program. */
export interface NodeProgram {
  readonly file: string;
  delete(): Promise<void>;
}

/** Processes cannot run TypeScript on Node 20, and a fresh clone has nothing built; so the program is bundled from the sources. */
export async function buildNodeProgram(): Promise<NodeProgram> {
  await mkdir(join(packageFolder, "temp"), { recursive: true });
  const folder = await mkdtemp(join(packageFolder, "temp", "programs-"));
  const manifest = JSON.parse(await readFile(join(packageFolder, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  await build({
    config: false,
    silent: true,
    outDir: folder,
    entry: [join(packageFolder, "test", "programs", "ring-node.ts")],
    format: ["esm"],
    target: "node20",
    noExternal: [/^@parsec\//],
    external: Object.keys(manifest.dependencies).filter((name) => !name.startsWith("@parsec/")),
    esbuildOptions(options) {
      options.conditions = ["@parsec/source"];
    },
    // Bundled CommonJS asks for Node's modules by require, which an ES module does not have.
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
  });
  return {
    file: join(folder, "ring-node.js"),
    delete: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A node of a ring in a process of its own. */
export interface NodeProcess {
  readonly id: string;
  /** Whatever the ring told, as JSON. */
  readonly events: readonly string[];
  state(): Promise<RingState>;
  kill(signal: NodeJS.Signals): void;
  /** Hands everything over; resolves when the process has ended by itself. */
  leave(): Promise<void>;
  readonly ended: Promise<void>;
}

/** Starts a node and waits until it has joined. */
export async function startNodeProcess(
  program: NodeProgram,
  options: Omit<RingOptions, "state" | "connection" | "coordinator" | "link" | "clock" | "random">,
): Promise<NodeProcess> {
  const child = fork(program.file, {
    env: { PATH: process.env.PATH ?? "", PARSEC_TEST_NODE: JSON.stringify(options) },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => {
      process.off("exit", kill);
      resolve();
    });
  });
  const events: string[] = [];
  const replies = collectReplies(child, { ended, events });
  let lastNumber = 0;
  const perform = (command: NodeCommand): Promise<unknown> => {
    const number = ++lastNumber;
    child.send({ number, command });
    return replies(number);
  };
  await replies(0);
  return {
    id: options.node,
    events,
    state: () => perform("state") as Promise<RingState>,
    kill: (signal) => void child.kill(signal),
    async leave() {
      await perform("leave");
      await ended;
    },
    ended,
  };
}

function collectReplies(
  child: ChildProcess,
  { ended, events }: { readonly ended: Promise<unknown>; readonly events: string[] },
): (number: number) => Promise<unknown> {
  const waiting = new Map<number, (result: unknown) => void>();
  child.on("message", ({ number, result }: NodeReply) => {
    if (number === -1) events.push(JSON.stringify(result));
    else waiting.get(number)?.(result);
  });
  return (number) =>
    new Promise((resolve, reject) => {
      waiting.set(number, resolve);
      void ended.then(() => reject(new Error("the node's process has ended")));
    });
}
