import { type ChildProcess, fork } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsup";
import type { NatsPeersOptions, NatsPeersStats } from "../src/index.ts";
import type { NodeCommand, NodeReply } from "./programs/cache-node.ts";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));

/** A bundle of the test's own program. */
export interface NodeProgram {
  readonly file: string;
  delete(): Promise<void>;
}

/**
 * Processes cannot run TypeScript on Node 20, and a fresh clone has nothing built; so the program is
 * bundled from the sources. It lies in this package because dependencies are found from there.
 */
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
    entry: [join(packageFolder, "test", "programs", "cache-node.ts")],
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
    file: join(folder, "cache-node.js"),
    delete: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A node that runs in a process of its own. */
export interface NodeProcess {
  readonly id: string;
  /** Texts, or the codes of errors, in the order of the keys. */
  get(keys: readonly string[]): Promise<(string | undefined)[]>;
  invalidate(key: string): Promise<{ readonly acknowledged: string[]; readonly failed: string[] }>;
  stats(): Promise<NatsPeersStats & { readonly loads: string[] }>;
  kill(signal: NodeJS.Signals): void;
  /** Closes its cache; resolves with the exit code when the process has ended by itself. */
  close(): Promise<number | null>;
}

/** Starts a node and waits until it has joined. */
export async function startNodeProcess(
  program: NodeProgram,
  options: Omit<NatsPeersOptions, "onWarning" | "clock" | "random" | "connection">,
): Promise<NodeProcess> {
  const child = fork(program.file, {
    env: { PATH: process.env.PATH ?? "", PARSEC_TEST_NODE: JSON.stringify(options) },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<number | null>((resolve) => {
    child.once("exit", (code) => {
      process.off("exit", kill);
      resolve(code);
    });
  });
  const replies = collectReplies(child, ended);
  let lastNumber = 0;
  const perform = (command: NodeCommand): Promise<unknown> => {
    const number = ++lastNumber;
    child.send({ number, command });
    return replies(number);
  };
  await replies(0);
  return {
    id: options.nodeId,
    get: (keys) => perform({ kind: "get", keys }) as ReturnType<NodeProcess["get"]>,
    invalidate: (key) =>
      perform({ kind: "invalidate", key }) as ReturnType<NodeProcess["invalidate"]>,
    stats: () => perform({ kind: "stats" }) as ReturnType<NodeProcess["stats"]>,
    kill: (signal) => void child.kill(signal),
    async close() {
      await perform({ kind: "close" });
      return ended;
    },
  };
}

function collectReplies(
  child: ChildProcess,
  ended: Promise<unknown>,
): (number: number) => Promise<unknown> {
  const waiting = new Map<number, (result: unknown) => void>();
  child.on("message", ({ number, result }: NodeReply) => waiting.get(number)?.(result));
  return (number) =>
    new Promise((resolve, reject) => {
      waiting.set(number, resolve);
      void ended.then(() => reject(new Error("the node's process has ended")));
    });
}
