import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createDataSourceClusterRegistry, type TelemetryEvents } from "@parsec/core";
import { createManualClock, createMemoryNetwork } from "@parsec/testkit";
import { expect, it, onTestFinished } from "vitest";

const names = [
  "parsec:fetch",
  "parsec:peer-lookup",
  "parsec:invalidation",
  "parsec:hand-over",
] as const;

/** Everything that is published until the test is over, in order, by the name of its channel. */
function recordAll(): (readonly [name: keyof TelemetryEvents, event: unknown])[] {
  const events: (readonly [keyof TelemetryEvents, unknown])[] = [];
  for (const name of names) {
    const record = (event: unknown): void => {
      events.push([name, event]);
    };
    subscribe(name, record);
    onTestFinished(() => {
      unsubscribe(name, record);
    });
  }
  return events;
}

it("events tell how nodes work together: lookup, fetch, invalidation, hand-over", async () => {
  const clock = createManualClock();
  const network = createMemoryNetwork({ clock, fate: () => ({ delayMs: 2 }) });
  const ids = ["a", "b"];
  const nodes = ids.map((selfId) => {
    const peers = network.createPeers({ selfId, ids });
    const registry = createDataSourceClusterRegistry({ peers, clock });
    const users = registry.register({
      name: "users",
      cacheKey: (id: number) => String(id),
      fetch: (id: number) => Promise.resolve({ id, token: "a secret of the user" }),
    });
    return { peers, registry, users };
  });
  const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
  // A key that the other node owns.
  const id = Array.from({ length: 100 }, (_, key) => key).find(
    (key) => a.peers.pick(String(key))?.id === "b",
  ) as number;
  const about = { group: "datasource:users", key: String(id) };

  const events = recordAll();
  const got = a.users.get(id);
  await clock.run(50);
  expect(await got).toMatchObject({ id });
  // The owner is new and looks into the former owner's memory before it asks the origin.
  expect(events).toEqual([
    ["parsec:fetch", { ...about, nodeId: "b", phase: "start" }],
    [
      "parsec:fetch",
      {
        ...about,
        nodeId: "b",
        phase: "end",
        outcome: "found",
        errorCode: undefined,
        durationMs: 0,
      },
    ],
    [
      "parsec:peer-lookup",
      {
        ...about,
        nodeId: "a",
        peerId: "b",
        isFallbackOwner: false,
        outcome: "found",
        errorCode: undefined,
        durationMs: expect.any(Number),
      },
    ],
  ]);

  events.length = 0;
  const invalidated = a.users.invalidate(id);
  await clock.run(50);
  await invalidated;
  expect(events).toEqual([
    [
      "parsec:invalidation",
      {
        nodeId: "a",
        group: about.group,
        target: { kind: "keys", keys: [about.key] },
        isRepetition: false,
        acknowledged: ["a", "b"],
        failed: [],
        durationMs: expect.any(Number),
      },
    ],
  ]);

  const again = b.users.get(id);
  await clock.run(50);
  await again;
  events.length = 0;
  const closed = b.registry.close();
  await clock.run(50);
  await closed;
  expect(events).toMatchObject([
    ["parsec:hand-over", { nodeId: "b", successors: 1, keys: 1, phase: "start" }],
    ["parsec:hand-over", { nodeId: "b", successors: 1, keys: 1, phase: "end", handedOver: 1 }],
  ]);
  const closing = a.registry.close();
  await clock.run(50);
  await closing;
  expect(JSON.stringify(events)).not.toContain("secret");
});
