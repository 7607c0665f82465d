import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createGroupCache, type Group } from "@parsec/core";
import { createManualClock } from "@parsec/testkit";
import { afterEach, expect, inject, it } from "vitest";
import { createGrpcPeers, type GrpcPeersOptions, type GrpcPeersWarning } from "../src/index.ts";
import { freePorts } from "./free-ports.ts";
import { until } from "./until.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Folder with `node.js` and `ends-by-itself.js`, built from the current sources. */
    readonly programs: string;
  }
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Program {
  readonly child: ChildProcess;
  /** Resolves with the exit code or the name of the signal. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Starts a program and waits for its first output. */
async function start(name: string, args: readonly string[]): Promise<Program> {
  const child = spawn(process.execPath, [join(inject("programs"), `${name}.js`), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("close", (code, signal) => resolve(signal ?? code ?? -1));
  });
  cleanups.push(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    void ended.then((code) => reject(new Error(`${name} ended with ${code}`)));
  });
  return { child, ended };
}

/** A node in this process and one in another process. */
async function startPair(options: Partial<GrpcPeersOptions> = {}) {
  const ports = await freePorts(2);
  const peerUrls = ports.map((port) => `grpc://127.0.0.1:${port}`);
  const [selfUrl, otherUrl] = peerUrls as [string, string];
  const warnings: GrpcPeersWarning[] = [];
  const peers = createGrpcPeers({
    selfUrl,
    peerUrls,
    secret: "a secret of these programs",
    onWarning: (warning) => warnings.push(warning),
    ...options,
    health: { minBackoffMs: 20, maxBackoffMs: 100, ...options.health },
  });
  const cache = createGroupCache({ peers });
  cleanups.push(() => cache.close());
  await peers.listen();
  const group = cache.group("g", { load: (key) => `${key} from ${selfUrl}`, hot: false });
  let count = 0;
  return {
    group,
    warnings,
    selfUrl,
    otherUrl,
    startOther: () => start("node", [otherUrl, ...peerUrls]),
    /** A new key that the other node owns. */
    nextKey(): string {
      for (;;) {
        const key = `key ${count++}`;
        if (peers.pick(key) !== undefined) return key;
      }
    },
  };
}

const sourceOf = async (group: Group, key: string): Promise<string | undefined> => {
  const value = await group.get(key);
  return value && Buffer.from(value).toString().split(" from ")[1];
};

/** Callers that each get new keys in a loop, until they are stopped. */
function keepAsking(group: Group, nextKey: () => string) {
  const sources: (string | undefined)[] = [];
  const failures: unknown[] = [];
  let stopped = false;
  const callers = Array.from({ length: 32 }, async () => {
    while (!stopped) {
      // While the circuit breaker is open, all else is synchronous: yield to the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      try {
        sources.push(await sourceOf(group, nextKey()));
      } catch (error) {
        failures.push(error);
      }
    }
  });
  const stop = async (): Promise<void> => {
    stopped = true;
    await Promise.all(callers);
  };
  // After a failed test, no callers must be left that loop on a closed node.
  cleanups.push(stop);
  return { sources, failures, stop };
}

it("fails no request when the other process is killed under load, and uses it again once it is back", async () => {
  const { group, warnings, selfUrl, otherUrl, startOther, nextKey } = await startPair();
  const first = await startOther();
  const load = keepAsking(group, nextKey);
  await until(() => load.sources.length > 500);
  first.child.kill("SIGKILL");
  expect(await first.ended).toBe("SIGKILL");
  await until(() => load.sources.slice(-100).every((source) => source === selfUrl));
  await startOther();
  await until(() => warnings.some((warning) => warning.kind === "peer-up"));
  await until(() => load.sources.at(-1) === otherUrl);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(new Set(load.sources)).toEqual(new Set([otherUrl, selfUrl]));
});

it("fails no request when the other process shuts down gracefully under load, and leaks nothing", async () => {
  const { group, selfUrl, startOther, nextKey } = await startPair();
  const other = await startOther();
  const load = keepAsking(group, nextKey);
  await until(() => load.sources.length > 500);
  other.child.kill("SIGTERM");
  expect(await other.ended).toBe(0);
  await until(() => load.sources.at(-1) === selfUrl);
  await load.stop();
  expect(load.failures).toEqual([]);
});

it("fails lookups before their deadlines while the other process is suspended, and recovers when it resumes", async () => {
  const clock = createManualClock();
  const { group, warnings, selfUrl, otherUrl, startOther, nextKey } = await startPair({
    clock,
    health: { pingTimeoutMs: 3000 },
  });
  const other = await startOther();
  expect(await sourceOf(group, nextKey())).toBe(otherUrl);
  other.child.kill("SIGSTOP");
  const sources = Promise.all([sourceOf(group, nextKey()), sourceOf(group, nextKey())]);
  expect(await clock.runUntil(sources)).toEqual([selfUrl, selfUrl]);
  expect(warnings.map((warning) => warning.kind)).toEqual(["peer-down"]);
  other.child.kill("SIGCONT");
  await clock.runUntil(until(() => warnings.at(-1)?.kind === "peer-up"));
  expect(await sourceOf(group, nextKey())).toBe(otherUrl);
});

it("lets a process exit after it has closed its nodes", async () => {
  const ports = await freePorts(2);
  const { ended } = await start(
    "ends-by-itself",
    ports.map((port) => `127.0.0.1:${port}`),
  );
  expect(await ended).toBe(0);
});
