import { createDataSourceClusterRegistry } from "@parsec/core";
import { createManualClock, createMemoryNetwork } from "@parsec/testkit";
import { expect, it } from "vitest";

it("three nodes fetch a user once, and again after an invalidation", async () => {
  const clock = createManualClock();
  const network = createMemoryNetwork({ clock, fate: () => ({ delayMs: 2 }) });
  const ids = ["a", "b", "c"];
  let fetches = 0;
  const nodes = ids.map((selfId) => {
    const peers = network.createPeers({ selfId, ids });
    const registry = createDataSourceClusterRegistry({ peers, clock });
    const users = registry.register({
      name: "users",
      cacheKey: (id: number) => String(id),
      fetch: async (id: number) => ({ id, fetched: ++fetches }),
    });
    return { registry, users };
  });
  const getFromAll = async () => {
    const values = Promise.all(nodes.map(({ users }) => users.get(7)));
    await clock.run(100); // virtual milliseconds: the messages arrive without waiting
    return await values;
  };

  expect(await getFromAll()).toEqual(Array(3).fill({ id: 7, fetched: 1 }));

  const invalidated = nodes[0]?.users.invalidate(7);
  await clock.run(100);
  expect(await invalidated).toMatchObject({
    acknowledged: expect.arrayContaining(ids),
    failed: [],
  });
  expect(await getFromAll()).toEqual(Array(3).fill({ id: 7, fetched: 2 }));

  const closed = Promise.all(nodes.map(({ registry }) => registry.close()));
  await clock.run(100);
  await closed;
  expect(clock.pendingCount).toBe(0); // no timer is left
});
