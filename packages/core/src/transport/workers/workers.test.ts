import { once } from "node:events";
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createSystemClock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";
import type { PeerHandOver, PeerHost, PeerInvalidation, PeerLookup } from "../../peer.ts";
import { type PeerWarning, resolvePeerLimits } from "../picker/peer-options.ts";
import type { ServedHost } from "../server/served-host.ts";
import { createWorkers, type Workers } from "./workers.ts";

const selfId = "http://127.0.0.1:1";
let folder = "";
beforeEach(() => {
  const made = mkdtempSync(join(tmpdir(), "parsec-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  folder = made;
});

/** Records what arrives, and answers with its own name. */
class Host implements PeerHost {
  readonly looked: string[] = [];
  readonly invalidated: PeerInvalidation[] = [];
  readonly taken: PeerHandOver[] = [];
  readonly groups: Set<string> = new Set(["g"]);
  rejoins = 0;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  lookup({ group, key }: PeerLookup) {
    this.#check(group);
    this.looked.push(key);
    return { value: Buffer.from(this.#name), ttlMs: 1000, fence: 0, ratePerMinute: 0 };
  }

  invalidate(invalidation: PeerInvalidation): void {
    this.#check(invalidation.group);
    this.invalidated.push(invalidation);
  }

  takeOver(part: PeerHandOver): number {
    this.taken.push(part);
    return this.taken.length;
  }

  rejoined(): void {
    this.rejoins++;
  }

  #check(group: string): void {
    if (!this.groups.has(group)) throw new ParsecError("NO_SUCH_GROUP", `no such group: ${group}`);
  }
}

interface Worker {
  readonly workers: Workers;
  readonly host: Host;
  /** Answers what arrives at the shared address. */
  readonly front: ServedHost;
}

let senders = 0;

/** Starts a worker as if in a process of its own. */
function start(
  name: string,
  options: { workers?: boolean; scope?: string; onWarning?: (warning: PeerWarning) => void } = {},
): Worker {
  const workers = createWorkers({
    workers: true,
    selfId,
    scope: "test",
    clock: createSystemClock(),
    random: Math.random,
    sender: ++senders,
    limits: resolvePeerLimits({}),
    health: {
      failures: 3,
      minBackoffMs: 20,
      maxBackoffMs: 100,
      pingTimeoutMs: 1000,
      silenceMs: 1000,
    },
    closeTimeoutMs: 1000,
    onWarning: () => {},
    places: { folder, token: Buffer.from(name.padEnd(4, "_")).toString("hex") },
    ...options,
  });
  onTestFinished(() => workers.close());
  const host = new Host(name);
  return { workers, host, front: workers.attach(host) };
}

/** Starts workers and waits until each knows all. */
async function startAll(names: readonly string[]): Promise<Worker[]> {
  const all = names.map((name) => start(name));
  await vi.waitFor(() => {
    for (const { workers } of all) {
      expect(workers.joining).toBeUndefined();
      expect(workers.peers()).toHaveLength(names.length - 1);
    }
  });
  return all;
}

const keys = Array.from({ length: 300 }, (_, index) => `key ${index}`);

function lookupOf(key: string, group = "g"): PeerLookup {
  return { group, key, input: undefined, fence: 0, timeoutMs: 5000 };
}

function invalidationOf(key: string, group = "g"): PeerInvalidation {
  return { group, target: { kind: "keys", keys: [key] }, fence: 7 };
}

async function answerOf(front: ServedHost, lookup: PeerLookup): Promise<string> {
  return textOf((await front.lookup(lookup)).value);
}

function textOf(value: Uint8Array | undefined): string {
  return Buffer.from(value ?? []).toString();
}

describe("several processes behind one address", () => {
  test("agree on the owner of each key, and share the keys evenly", async () => {
    const all = await startAll(["a", "b", "c", "d"]);
    const owners = await Promise.all(
      all.map(({ front }) => Promise.all(keys.map((key) => answerOf(front, lookupOf(key))))),
    );
    for (const seen of owners) expect(seen).toEqual(owners[0]);
    for (const name of ["a", "b", "c", "d"]) {
      const share = owners[0]?.filter((owner) => owner === name).length ?? 0;
      expect(share).toBeGreaterThan(keys.length / 8);
      expect(share).toBeLessThan(keys.length / 2);
    }
  });

  test("answer requests of each other by themselves (I6)", async () => {
    const [a, b] = (await startAll(["a", "b"])) as [Worker, Worker];
    const key = keys.find((one) => a.workers.pick(one) === undefined) as string;
    const answer = await b.workers.pick(key)?.lookup(lookupOf(key));
    expect(textOf(answer?.value)).toBe("a");
    // Asked directly, the other answers although it does not own the key.
    const direct = await a.workers.peers()[0]?.lookup(lookupOf(key));
    expect(textOf(direct?.value)).toBe("b");
  });

  test("apply an invalidation on all before it is acknowledged (I2)", async () => {
    const all = await startAll(["a", "b", "c"]);
    await all[1]?.front.invalidate(invalidationOf("key 1"));
    for (const { host } of all) expect(host.invalidated).toMatchObject([{ fence: 7 }]);
  });

  test("report an invalidation that one of them did not apply", async () => {
    const [a, b] = (await startAll(["a", "b"])) as [Worker, Worker];
    b.host.invalidate = () => {
      throw new ParsecError("OVERLOADED", "busy");
    };
    await expect(a.front.invalidate(invalidationOf("key 1"))).rejects.toThrow("busy");
  });

  test("need not have registered a group to apply its invalidations, unless none has", async () => {
    const [a, b] = (await startAll(["a", "b"])) as [Worker, Worker];
    b.host.groups.add("new");
    await a.front.invalidate(invalidationOf("key 1", "new"));
    expect(b.host.invalidated).toHaveLength(1);
    const unknown = a.front.invalidate(invalidationOf("key 1", "unknown"));
    await expect(unknown).rejects.toMatchObject({ code: "NO_SUCH_GROUP" });
  });

  test("answer for one that has not registered the group yet", async () => {
    const [a, b] = (await startAll(["a", "b"])) as [Worker, Worker];
    a.host.groups.add("new");
    const key = keys.find((one) => a.workers.pick(one) !== undefined) as string;
    expect(await answerOf(a.front, lookupOf(key, "new"))).toBe("a");
    expect(b.host.looked).toEqual([]);
  });

  test("share out a hand-over by keys, each part with a ticket that it issued itself", async () => {
    const [a, b] = (await startAll(["a", "b"])) as [Worker, Worker];
    const ticket = await a.front.takeOver?.({ group: "g", ticket: 0, entries: [] });
    expect([a.host.taken, b.host.taken]).toMatchObject([[{ ticket: 0 }], [{ ticket: 0 }]]);
    const entries = keys.map((key) => ({
      key,
      value: Buffer.from("v"),
      ttlMs: 1000,
      tags: [],
      fence: 0,
    }));
    // The next part arrives at the other process.
    await b.front.takeOver?.({ group: "g", ticket: ticket ?? 0, entries });
    for (const { host, workers } of [a, b]) {
      const own = keys.filter((key) => workers.pick(key) === undefined);
      expect(host.taken[1]?.ticket).toBe(1);
      expect(host.taken[1]?.entries.map(({ key }) => key)).toEqual(own);
    }
  });

  test("wait to know one that has just started before they use the origin", async () => {
    const a = start("a");
    expect(a.workers.joining).toBeUndefined();
    const b = start("b");
    expect(b.workers.joining).toBeDefined();
    const key = keys.find((one) => a.workers.pick(one) === undefined) as string;
    const answers = await Promise.all([
      answerOf(b.front, lookupOf(key)),
      vi.waitFor(() => expect(a.workers.peers()).toHaveLength(1)),
    ]);
    const owner = a.workers.pick(key) === undefined ? "a" : "b";
    expect(answers[0]).toBe(owner);
  });

  test("take over from one that leaves, which still gets invalidations until it has closed", async () => {
    const [a, b] = (await startAll(["a", "b"])) as [Worker, Worker];
    b.workers.leave();
    await vi.waitFor(() => expect(a.workers.isAlone).toBe(true));
    for (const key of keys) expect(a.workers.pick(key)).toBeUndefined();
    await a.front.invalidate(invalidationOf("key 1"));
    expect(b.host.invalidated).toHaveLength(1);
    await b.workers.close();
    await vi.waitFor(() => expect(a.workers.peers()).toEqual([]));
    await a.front.invalidate(invalidationOf("key 1"));
    expect(a.host.invalidated).toHaveLength(2);
  });

  test("remove the socket of a process that was killed, and go on", async () => {
    const a = start("a");
    const [name = ""] = readdirSync(join(folder, "workers"));
    // The name of another process, at which none listens.
    const left = name.replace(/-[0-9a-f]{8}-/, "-01234567-");
    const server = createServer().listen(join(folder, "workers", `${left}~`));
    await once(server, "listening");
    renameSync(join(folder, "workers", `${left}~`), join(folder, "workers", left));
    await new Promise((resolve) => server.close(resolve));
    const b = start("b");
    await vi.waitFor(() => expect(b.workers.joining).toBeUndefined());
    expect(b.workers.peers()).toHaveLength(1);
    expect(readdirSync(join(folder, "workers"))).not.toContain(left);
    expect(a.workers.peers()).toHaveLength(1);
  });

  test("are strangers with another scope, in the same process, or with workers: false", async () => {
    const all = [
      start("a"),
      start("a"),
      start("b", { scope: "other" }),
      start("c", { workers: false }),
    ];
    for (const { workers } of all) {
      expect(workers.joining).toBeUndefined();
      expect(workers.peers()).toEqual([]);
    }
  });

  test("do without each other where the folder cannot be used", () => {
    writeFileSync(join(folder, "workers"), "a file");
    const a = start("a");
    expect(a.front).toBe(a.host);
    expect(a.workers.peers()).toEqual([]);
  });

  test.each([
    ["its socket was deleted", () => rmSync(join(folder, "workers"), { recursive: true })],
    ["the folder of the host was deleted", () => rmSync(folder, { recursive: true })],
  ])("are found by ones that start after %s", async (_case, remove) => {
    const [a, b] = (await startAll(["a", "b"])) as [Worker, Worker];
    remove();
    // Finds nobody, and caches values without the others.
    const c = start("c");
    expect(c.workers.joining).toBeUndefined();
    await vi.waitFor(
      () => {
        for (const { workers } of [a, b, c]) expect(workers.peers()).toHaveLength(2);
        // What c missed of the others, and they of c, is dropped.
        for (const { host } of [a, b, c]) expect(host.rejoins).toBeGreaterThan(0);
      },
      { timeout: 10_000 },
    );
    expect(readdirSync(join(folder, "workers"))).toHaveLength(3);
    const d = start("d");
    await vi.waitFor(() => expect(d.workers.peers()).toHaveLength(3));
    await d.front.invalidate(invalidationOf("key 1"));
    for (const { host } of [a, b, c, d]) expect(host.invalidated).toHaveLength(1);
  });

  test("warn once when their socket was deleted and cannot be bound again", async () => {
    const warnings: PeerWarning[] = [];
    start("a", { onWarning: (warning) => warnings.push(warning) });
    const b = start("b");
    await vi.waitFor(() => expect(b.workers.joining).toBeUndefined());
    rmSync(join(folder, "workers"), { recursive: true });
    writeFileSync(join(folder, "workers"), "a file");
    await vi.waitFor(
      () => expect(warnings).toMatchObject([{ kind: "shared-address", peerId: selfId }]),
      { timeout: 10_000 },
    );
    // They still know each other.
    await b.front.invalidate(invalidationOf("key 1"));
    rmSync(join(folder, "workers"));
    await vi.waitFor(() => expect(readdirSync(join(folder, "workers"))).toHaveLength(2), {
      timeout: 10_000,
    });
    expect(warnings).toHaveLength(1);
  });

  test("warn where they are likely and the folder cannot be used", () => {
    vi.stubEnv("NODE_APP_INSTANCE", "1");
    onTestFinished(() => void vi.unstubAllEnvs());
    writeFileSync(join(folder, "workers"), "a file");
    const warnings: PeerWarning[] = [];
    const onWarning = (warning: PeerWarning): number => warnings.push(warning);
    start("a", { workers: false, onWarning });
    expect(warnings).toEqual([]);
    start("a", { onWarning });
    expect(warnings).toMatchObject([{ kind: "shared-address", peerId: selfId }]);
  });

  test("leave nothing behind when they close", async () => {
    const all = await startAll(["a", "b"]);
    await Promise.all(all.map(({ workers }) => workers.close()));
    expect(readdirSync(join(folder, "workers"))).toEqual([]);
  });
});
