import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { DirectNetwork } from "../test/direct-peers.ts";
import { recordedEvents } from "../test/recorded-events.ts";
import { sourceOf } from "../test/sources.ts";
import { SteppedClock } from "../test/stepped-clock.ts";
import { WaitingLoader } from "../test/waiting-loader.ts";
import { ParsecError } from "./errors.ts";
import { createGroupCache } from "./registry/group-cache.ts";
import {
  createDataSourceClusterRegistry,
  createDataSourceRegistry,
  type DataSourceOptions,
} from "./registry/registry.ts";
import type { TelemetryEvents } from "./telemetry.ts";
import type { PeerHealthChange } from "./transport/health/peer-health.ts";
import { createPeerSet } from "./transport/picker/peer-set.ts";

const names: readonly (keyof TelemetryEvents)[] = [
  "parsec:fetch",
  "parsec:peer-lookup",
  "parsec:invalidation",
  "parsec:peer-health",
  "parsec:members",
  "parsec:hand-over",
];

/** One node whose loads the test answers. */
function oneNode(options: DataSourceOptions<string, string> = {}) {
  const clock = new SteppedClock();
  const loader = new WaitingLoader<string, string | undefined>();
  const registry = createDataSourceRegistry({ clock });
  const source = { name: "s", cacheKey: (input: string) => input, fetch: loader.load };
  const handle = registry.register(source, { ttlMs: 1000, ttlJitter: 0, ...options });
  return { clock, loader, registry, handle };
}

const aboutK = { group: "datasource:s", key: "k" };

describe("parsec:fetch", () => {
  it("publishes start and end of a fetch", async () => {
    const { clock, loader, handle } = oneNode();
    const events = recordedEvents("parsec:fetch");
    const got = [handle.get("k"), handle.get("k")];
    expect(events).toEqual([expect.objectContaining({ ...aboutK, phase: "start" })]);
    await clock.advance(30);
    loader.last.resolve("v");
    await Promise.all(got);
    expect(events.slice(1)).toEqual([
      { ...events[0], phase: "end", outcome: "found", errorCode: undefined, durationMs: 30 },
    ]);
  });

  it("distinguishes absent values and failures", async () => {
    const { clock, loader, handle } = oneNode({ timeoutMs: 50 });
    const events = recordedEvents("parsec:fetch");
    const ends = (): unknown[] =>
      events.flatMap((event) => (event.phase === "end" ? [[event.outcome, event.errorCode]] : []));
    const absent = handle.get("absent");
    loader.last.resolve(undefined);
    await absent;
    const failed = handle.get("failed");
    loader.last.reject(new Error("password=hunter2"));
    await expect(failed).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
    const late = expect(handle.get("late")).rejects.toMatchObject({ code: "TIMEOUT" });
    await clock.advance(50);
    await late;
    expect(ends()).toEqual([
      ["absent", undefined],
      ["failed", "ORIGIN_FAILED"],
      ["failed", "TIMEOUT"],
    ]);
    expect(JSON.stringify(events)).not.toContain("hunter2");
  });

  it("reports the failure of a fetch for which a stale value was served", async () => {
    const { clock, loader, handle } = oneNode({ staleIfErrorMs: 5000 });
    const first = handle.get("k");
    loader.last.resolve("old");
    await first;
    await clock.advance(1500);
    const events = recordedEvents("parsec:fetch");
    const second = handle.get("k");
    loader.last.reject(new Error("down"));
    expect(await second).toBe("old");
    expect(events.at(-1)).toMatchObject({ outcome: "failed", errorCode: "ORIGIN_FAILED" });
  });

  it("counts as often as the group's counters", async () => {
    const { loader, handle } = oneNode();
    const events = recordedEvents("parsec:fetch");
    for (let round = 0; round < 5; round++) {
      const got = handle.get(`key ${round}`);
      if (round % 2 === 0) loader.last.resolve("v");
      else loader.last.reject(new Error("down"));
      await got.catch(() => {});
    }
    const { localLoads, localLoadErrs } = handle.stats();
    const outcomes = events.flatMap((event) => (event.phase === "end" ? [event.outcome] : []));
    expect(outcomes.filter((outcome) => outcome === "found")).toHaveLength(localLoads);
    expect(outcomes.filter((outcome) => outcome === "failed")).toHaveLength(localLoadErrs);
  });

  it("does not report the end of a fetch whose start had no subscriber", async () => {
    const { loader, handle } = oneNode();
    const got = handle.get("k");
    const events = recordedEvents("parsec:fetch");
    loader.last.resolve("v");
    await got;
    expect(events).toEqual([]);
  });
});

describe("hits", () => {
  it("publish nothing, on any channel", async () => {
    const { loader, handle } = oneNode();
    const got = handle.get("k");
    loader.last.resolve("v");
    await got;
    const all = names.map(recordedEvents);
    expect(await handle.get("k")).toBe("v");
    expect(handle.peek("k")).toBe("v");
    await handle.getMany(["k", "k"]);
    expect(all.flat()).toEqual([]);
  });
});

describe("parsec:peer-lookup", () => {
  it("publishes peer and outcome of a lookup", async () => {
    const network = new DirectNetwork(["a", "b"]);
    const clock = new SteppedClock();
    const [a] = ["a", "b"].map((name) => {
      const cache = createGroupCache({ peers: network.picker(name), clock });
      return cache.group("g", {
        load(key) {
          if (key === "b:bad") throw new Error("down");
          return key === "b:none" ? undefined : "secret value";
        },
      });
    });
    const events = recordedEvents("parsec:peer-lookup");
    await a?.get("b:1");
    await a?.get("b:none");
    await a?.get("b:bad").catch(() => {});
    await a?.get("a:own");
    const shared = { nodeId: "a", group: "g", peerId: "b", isFallbackOwner: false, durationMs: 0 };
    expect(events).toEqual([
      { ...shared, key: "b:1", outcome: "found", errorCode: undefined },
      { ...shared, key: "b:none", outcome: "absent", errorCode: undefined },
      { ...shared, key: "b:bad", outcome: "failed", errorCode: "ORIGIN_FAILED" },
    ]);
    expect(JSON.stringify(events)).not.toContain("secret value");
  });

  it("publishes lookups at a fallback owner", async () => {
    const network = new DirectNetwork(["a", "b", "c"], { hasFallbackOwners: true });
    const clock = new SteppedClock();
    const groups = ["c", "b", "a"].map((name) =>
      createGroupCache({ peers: network.picker(name), clock }).group("g", { load: (key) => key }),
    );
    network.down.add("b");
    const events = recordedEvents("parsec:peer-lookup");
    await groups[0]?.get("b:1");
    expect(events).toMatchObject([
      { peerId: "b", isFallbackOwner: false, outcome: "failed", errorCode: "PEER_UNREACHABLE" },
      { peerId: "a", isFallbackOwner: true, outcome: "found" },
    ]);
  });
});

describe("parsec:invalidation", () => {
  it("publishes nodes that applied it, nodes that failed, and repetitions", async () => {
    const network = new DirectNetwork(["a", "b", "c"]);
    const clock = new SteppedClock();
    const registries = ["a", "b", "c"].map((name) => {
      const registry = createDataSourceClusterRegistry({ peers: network.picker(name), clock });
      registry.register(sourceOf((input) => Promise.resolve(input)));
      return registry;
    });
    const events = recordedEvents("parsec:invalidation");
    network.down.add("c");
    await registries[0]?.get("s")?.invalidate("b:1");
    expect(events).toEqual([
      {
        nodeId: "a",
        group: "datasource:s",
        target: { kind: "keys", keys: ["b:1"] },
        isRepetition: false,
        acknowledged: ["a", "b"],
        failed: [{ peerId: "c", errorCode: "PEER_UNREACHABLE" }],
        durationMs: 0,
      },
    ]);
    network.down.delete("c");
    await clock.advance(10_000);
    expect(events[1]).toMatchObject({ isRepetition: true, failed: [] });
    expect([...(events[1]?.acknowledged ?? [])].sort()).toEqual(["a", "b", "c"]);
  });
});

describe("parsec:hand-over", () => {
  it("publishes the number of entries of a hand-over", async () => {
    const network = new DirectNetwork(["b", "a"], { hasFallbackOwners: true });
    const clock = new SteppedClock();
    const [leaving] = ["a", "b"].map((name) => {
      const cache = createGroupCache({ peers: network.picker(name), clock });
      return { cache, group: cache.group("g", { load: (key) => key }) };
    });
    await leaving?.group.getMany(["a:1", "a:2", "a:3"]);
    const events = recordedEvents("parsec:hand-over");
    await leaving?.cache.close();
    const shared = { nodeId: "a", successors: 1, keys: 3 };
    expect(events).toEqual([
      { ...shared, phase: "start" },
      { ...shared, phase: "end", handedOver: 3, durationMs: 0 },
    ]);
  });
});

describe("a peer set", () => {
  function threeNodes() {
    const report = new Map<string, (change: PeerHealthChange) => void>();
    const peers = createPeerSet({
      selfId: "a",
      ids: ["a", "b"],
      placement: "slots",
      discovery: undefined,
      checkIds: (ids) => ids,
      onWarning() {},
      createPeer(id, onChange) {
        report.set(id, onChange);
        return {
          id,
          lookup: () => expect.unreachable(),
          invalidate: () => expect.unreachable(),
          close: () => Promise.resolve(),
        };
      },
    });
    return { peers, report };
  }

  it("publishes parsec:members when they change, and only then", () => {
    const { peers } = threeNodes();
    const events = recordedEvents("parsec:members");
    peers.updatePeers(["b", "a"]);
    peers.updatePeers(["a", "b", "c"]);
    peers.updatePeers(["a", "c"]);
    expect(events).toEqual([
      { nodeId: "a", members: ["a", "b", "c"], joined: ["c"], left: [] },
      { nodeId: "a", members: ["a", "c"], joined: [], left: ["b"] },
    ]);
  });

  it("publishes parsec:peer-health when a circuit opens or closes", () => {
    const { report } = threeNodes();
    const events = recordedEvents("parsec:peer-health");
    const error = new ParsecError("PEER_UNREACHABLE", "connect ECONNREFUSED");
    report.get("b")?.({ peerId: "b", state: "down", error });
    report.get("b")?.({ peerId: "b", state: "up", error: undefined });
    expect(events).toEqual([
      { nodeId: "a", peerId: "b", state: "down", errorCode: "PEER_UNREACHABLE" },
      { nodeId: "a", peerId: "b", state: "up", errorCode: undefined },
    ]);
  });
});

describe("a subscriber that throws", () => {
  it("does not disturb the fetch: Node raises uncaughtException in a later turn", async () => {
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const throwing = (): never => {
      throw new Error("a bug in the subscriber");
    };
    subscribe("parsec:fetch", throwing);
    onTestFinished(() => {
      unsubscribe("parsec:fetch", throwing);
      process.removeAllListeners("uncaughtException");
      for (const listener of listeners) process.on("uncaughtException", listener);
    });
    const raised = once(process, "uncaughtException");
    const { loader, handle } = oneNode();
    const got = handle.get("k");
    unsubscribe("parsec:fetch", throwing);
    expect(await raised).toMatchObject([{ message: "a bug in the subscriber" }, expect.anything()]);
    loader.last.resolve("v");
    expect(await got).toBe("v");
  });
});
