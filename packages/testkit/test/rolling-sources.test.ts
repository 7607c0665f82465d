import { createDataSourceClusterRegistry, type DataSourceOptions, ParsecError } from "@parsec/core";
import {
  createFaultyPicker,
  createManualClock,
  createMemoryNetwork,
  type FaultPlan,
  type ManualClock,
} from "@parsec/testkit";
import { expect, it } from "vitest";

type Options = DataSourceOptions<string, string>;

/** Nodes on one virtual clock; `undefined` for a node that does not have the source yet. */
function startNodes(sources: readonly (Options | undefined)[], faults?: FaultPlan) {
  const clock = createManualClock();
  const network = createMemoryNetwork({ clock, fate: () => ({ delayMs: 1 }) });
  const ids = sources.map((_, index) => `n${index}`);
  const fetches: { node: string; id: string }[] = [];
  const nodes = ids.map((selfId, index) => {
    const own = network.createPeers({ selfId, ids });
    const peers = faults === undefined ? own : createFaultyPicker(own, faults, { clock });
    const registry = createDataSourceClusterRegistry({ peers, clock });
    const options = sources[index];
    const register = (given: Options) =>
      registry.register(
        {
          name: "users",
          cacheKey: (id: string) => id,
          async fetch(id: string) {
            fetches.push({ node: selfId, id });
            return `${id} of ${given.version ?? "no version"}`;
          },
        },
        { timeoutMs: 1_000, ...given },
      );
    return { id: selfId, registry, users: options && register(options) };
  });
  return { clock, nodes, fetches };
}

async function after<T>(clock: ManualClock, call: Promise<T> | undefined): Promise<T> {
  if (call === undefined) throw new Error("the node does not have the source");
  call.catch(() => {});
  await clock.run(100);
  return await call;
}

const keys = Array.from({ length: 40 }, (_, index) => `k${index}`);

it("nodes whose owner does not have the source yet load by themselves, also with onPeerFailure fail", async () => {
  for (const onPeerFailure of ["load", "fail"] as const) {
    const { clock, nodes, fetches } = startNodes([{ onPeerFailure }, { onPeerFailure }, undefined]);
    for (const node of nodes.slice(0, 2)) {
      expect(await after(clock, node.users?.getMany(keys))).toEqual(
        keys.map((key) => `${key} of no version`),
      );
    }
    expect(new Set(fetches.map(({ node }) => node))).toEqual(new Set(["n0", "n1"]));
    expect(nodes[0]?.users?.stats().peerErrors).toBeGreaterThan(0);
    // Their copies lie in the hot cache, because they are not the owners.
    expect(nodes[0]?.users?.stats().hot.items).toBeGreaterThan(0);
  }
});

it("two versions of a source never read each other's values", async () => {
  const { clock, nodes } = startNodes([{ version: 1 }, { version: 2 }, { version: 2 }]);
  for (let round = 0; round < 2; round++) {
    for (const [index, version] of [1, 2, 2].entries()) {
      expect(await after(clock, nodes[index]?.users?.getMany(keys))).toEqual(
        keys.map((key) => `${key} of ${version}`),
      );
    }
  }
});

it("I2 an invalidation on a node of one version reaches the others", async () => {
  const { clock, nodes, fetches } = startNodes([{ version: 1 }, { version: 2 }, {}]);
  const tagged = nodes.map(({ users }) => users);
  const loadAll = async (): Promise<void> => {
    for (const users of tagged) await after(clock, users?.getMany(keys));
  };
  await loadAll();
  for (const invalidate of [
    (at: number) => tagged[at]?.invalidate("k7"),
    (at: number) => tagged[at]?.invalidateAll(),
  ]) {
    for (const at of [0, 1, 2]) {
      const result = await after(clock, invalidate(at));
      expect(result).toMatchObject({ failed: [] });
      expect([...result.acknowledged].sort()).toEqual(["n0", "n1", "n2"]);
      for (const users of tagged) expect(users?.peek("k7")).toBeUndefined();
      fetches.length = 0;
      await loadAll();
      expect(fetches.some(({ id }) => id === "k7")).toBe(true);
    }
  }
});

it("an overloaded owner is replaced where onPeerFailure is load", async () => {
  const overloaded: FaultPlan = ({ kind }) =>
    kind === "lookup"
      ? { kind: "fail", error: new ParsecError("OVERLOADED", "4096 requests are under way") }
      : undefined;
  const replaced = startNodes([{}, {}], overloaded);
  expect(await after(replaced.clock, replaced.nodes[0]?.users?.getMany(keys))).toEqual(
    keys.map((key) => `${key} of no version`),
  );
  const strict = startNodes([{ onPeerFailure: "fail" }, { onPeerFailure: "fail" }], overloaded);
  await expect(after(strict.clock, strict.nodes[0]?.users?.getMany(keys))).rejects.toMatchObject({
    code: "OVERLOADED",
  });
});
