import { createGroupCache, type GroupCache } from "@parsec/core";
import { createMemoryNetwork } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { memoryRings, type TestRings } from "../../test/test-rings.ts";
import { createRingPicker } from "./ring-picker.ts";

const caches: GroupCache[] = [];
let cluster: TestRings;
afterEach(async () => {
  await Promise.all(caches.splice(0).map((cache) => cache.close()));
  await cluster.close();
});

describe("the ring picker", () => {
  it("lets the owner of the partition load a key, once for all nodes", async () => {
    const ids = ["a", "b", "c"];
    cluster = memoryRings();
    const network = createMemoryNetwork();
    await Promise.all(ids.map((id) => cluster.join(id)));
    await cluster.settled(ids);
    const loads: string[] = [];
    const groups = cluster.rings.map(({ id, ring }) => {
      const peers = network.createPeers({ selfId: id, ids });
      const cache = createGroupCache({ peers: createRingPicker({ ring, peers }) });
      caches.push(cache);
      return cache.group("users", {
        load: (key) => {
          loads.push(`${id} ${key}`);
          return Buffer.from(`value of ${key}`);
        },
      });
    });
    const keys = Array.from({ length: 40 }, (_, at) => `user:${at}`);
    const values = await Promise.all(
      groups.flatMap((group) =>
        keys.map(async (key) => Buffer.from((await group.get(key)) ?? "").toString()),
      ),
    );
    expect(values).toEqual(groups.flatMap(() => keys.map((key) => `value of ${key}`)));
    const owners = keys.map((key) => `${cluster.rings[0]?.ring.nodeFor(key)} ${key}`);
    expect(loads.sort()).toEqual(owners.sort());
  });

  it("follows the table, and names the fallback owner of a key", async () => {
    cluster = memoryRings();
    const network = createMemoryNetwork();
    const [a] = await Promise.all(["a", "b"].map((id) => cluster.join(id)));
    await cluster.settled(["a", "b"]);
    if (a === undefined) throw new Error("no node");
    const peers = network.createPeers({ selfId: "a", ids: ["a", "b"] });
    const picker = createRingPicker({ ring: a.ring, peers });
    const ofB =
      ["k1", "k2", "k3", "k4", "k5", "k6"].find((key) => a.ring.nodeFor(key) === "b") ?? "";
    expect(picker.pick(ofB)?.id).toBe("b");
    expect(picker.pick(ofB, "b")).toBeUndefined();
    await cluster.rings.find(({ id }) => id === "b")?.ring.leave();
    await cluster.settled(["a"]);
    expect(picker.pick(ofB)).toBeUndefined();
    await picker.close();
  });

  it("treats an owner that the transport does not list as one that is down", async () => {
    cluster = memoryRings();
    const [a] = await Promise.all(["a", "b"].map((id) => cluster.join(id)));
    await cluster.settled(["a", "b"]);
    if (a === undefined) throw new Error("no node");
    const peers = createMemoryNetwork().createPeers({ selfId: "a", ids: ["a"] });
    const picker = createRingPicker({ ring: a.ring, peers });
    const keys = Array.from({ length: 20 }, (_, at) => `k${at}`);
    const ofB = keys.find((key) => a.ring.nodeFor(key) === "b") ?? "";
    const lookup = { group: "g", key: ofB, input: undefined, fence: 0, timeoutMs: 100 };
    await expect(picker.pick(ofB)?.lookup(lookup)).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
    });
    await picker.close();
  });

  it("rejects peers with another name for this node", async () => {
    cluster = memoryRings();
    const { ring } = await cluster.join("a");
    const peers = createMemoryNetwork().createPeers({ selfId: "other", ids: ["other"] });
    expect(() => createRingPicker({ ring, peers })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    await peers.close();
  });
});
