import { describe, expect, it, vi } from "vitest";
import { DirectNetwork } from "../../test/direct-peers.ts";
import { expectBalance } from "../../test/one-group.ts";
import { SteppedClock, settled } from "../../test/stepped-clock.ts";
import { textCodec } from "./codec.ts";
import type { DataSource } from "./data-source.ts";
import { createDataSourceClusterRegistry, type DataSourceOptions } from "./registry.ts";

interface Input {
  readonly node: string;
  readonly id: number;
  readonly token?: string;
}

interface Data {
  readonly id: number;
  readonly by: string;
  readonly list: readonly string[];
}

/** Two nodes with one data source each, whose keys start with their owner. */
function twoNodes(
  options: DataSourceOptions<Input, Data> = {},
  parts: Partial<DataSource<Input, Data>> = {},
) {
  const network = new DirectNetwork(["a", "b"]);
  const clock = new SteppedClock();
  const fetches = { a: [] as Input[], b: [] as Input[] };
  const nodeOf = (name: "a" | "b") => {
    const registry = createDataSourceClusterRegistry({ peers: network.picker(name), clock });
    const source: DataSource<Input, Data> = {
      name: "s",
      cacheKey: ({ node, id }) => (id === 0 ? "" : `${node}:${id}`),
      cacheInput: ({ node, id }) => ({ node, id }),
      fetch: (input) => {
        fetches[name].push(input);
        return Promise.resolve({ id: input.id, by: name, list: [] });
      },
      ...parts,
    };
    return { registry, handle: registry.register(source, { ttlJitter: 0, ...options }) };
  };
  return { network, clock, fetches, a: nodeOf("a"), b: nodeOf("b") };
}

describe("a data source on two nodes", () => {
  it("I1 is fetched by the key's owner with the input of the request", async () => {
    const { a, b, fetches, network } = twoNodes();
    const input = { node: "a", id: 1, token: "not needed" };
    const all = await Promise.all([b.handle.get(input), b.handle.get(input), a.handle.get(input)]);
    for (const data of all) expect(data).toEqual({ id: 1, by: "a", list: [] });
    expect(fetches).toEqual({ a: [{ node: "a", id: 1 }], b: [] });
    const [{ message }] = network.lookups as [(typeof network.lookups)[0]];
    expect(message).toMatchObject({ group: "datasource:s", key: "a:1" });
    expect(JSON.parse(String(message.input))).toEqual({ node: "a", id: 1 });
    for (const { handle } of [a, b]) expectBalance(handle.stats());
  });

  it("returns frozen data from the origin, from peers and from memory", async () => {
    const { b } = twoNodes({ hot: { minRatePerMinute: 0 } });
    const input = { node: "a", id: 1 };
    const [one, other] = await Promise.all([b.handle.get(input), b.handle.get(input)]);
    expect(one).toBe(other);
    for (const data of [one, await b.handle.get(input), b.handle.peek(input)]) {
      expect(() => (data as unknown as { list: string[] }).list.push("x")).toThrow(
        /not extensible/,
      );
    }
  });

  it("is fetched locally when the key is empty", async () => {
    const { b, fetches, network } = twoNodes();
    expect(await b.handle.get({ node: "a", id: 0 })).toEqual({ id: 0, by: "b", list: [] });
    expect(fetches.a).toEqual([]);
    expect(network.lookups).toEqual([]);
  });

  it("combines own keys and keys of other nodes in one getMany", async () => {
    const { b, fetches } = twoNodes();
    const inputs = ["a", "b", "a"].map((node, index) => ({ node, id: index + 1 }));
    const found = await b.handle.getMany(inputs);
    expect(found.map((data) => data?.by)).toEqual(["a", "b", "a"]);
    expect([fetches.a.length, fetches.b.length]).toEqual([2, 1]);
  });

  it("I2 drops copies by the tags that each node computes", async () => {
    const { a, b } = twoNodes({
      hot: { minRatePerMinute: 0 },
      tags: ({ node, id }, { by }) => [`${node}-${id}`, `by-${by}`],
    });
    const inputs = [1, 2].map((id) => ({ node: "a", id }));
    await b.handle.getMany(inputs);
    const peeks = (): (number | undefined)[] =>
      [a, b].flatMap(({ handle }) => inputs.map((input) => handle.peek(input)?.id));
    expect(peeks()).toEqual([1, 2, 1, 2]);
    await b.handle.invalidateTag("a-1");
    expect(peeks()).toEqual([undefined, 2, undefined, 2]);
    await a.handle.invalidateTag("by-a");
    expect(peeks()).toEqual([undefined, undefined, undefined, undefined]);
  });

  it("I5 with a wrong cacheInput fails with the same message on every node", async () => {
    const { a, b, fetches } = twoNodes({}, { cacheInput: ({ node }) => ({ node, id: -1 }) });
    for (const { handle } of [a, b]) {
      await expect(handle.get({ node: "a", id: 1 })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("cacheInput must keep every field"),
      });
    }
    expect(fetches).toEqual({ a: [], b: [] });
  });

  it("I5 that the owner has not registered yet is fetched locally", async () => {
    const { b, network } = twoNodes();
    const fetch = vi.fn(() => Promise.resolve("v"));
    const only = b.registry.register({ name: "only", cacheKey: () => "a:k", fetch });
    expect(await only.get(undefined)).toBe("v");
    expect(fetch).toHaveBeenCalledTimes(1);
    expect(network.lookups).toHaveLength(1);
  });

  it("I9 rejects bytes of an owner that the codec cannot decode", async () => {
    const network = new DirectNetwork(["a", "b"]);
    const register = (name: string, options: object) =>
      createDataSourceClusterRegistry({ peers: network.picker(name) }).register(
        { name: "s", cacheKey: () => "a:k", fetch: () => Promise.resolve("{not json") },
        { hot: { minRatePerMinute: 0 }, ...options },
      );
    register("a", { codec: textCodec });
    const requester = register("b", {});
    const results = await Promise.allSettled([requester.get(undefined), requester.get(undefined)]);
    for (const result of results)
      expect(result).toMatchObject({ reason: { code: "CODEC_FAILED" } });
    await expect(requester.get(undefined)).rejects.toMatchObject({ code: "CODEC_FAILED" });
    expectBalance(requester.stats());
  });

  it("lists its members and follows changes", () => {
    const { a, b } = twoNodes();
    expect(a.registry.getClusterStats()).toEqual({
      selfUrl: "a",
      peerUrls: ["a", "b"],
      peerCount: 2,
    });
    b.registry.updatePeers(["a", "b", "c"]);
    expect(b.registry.getClusterStats()).toEqual({
      selfUrl: "b",
      peerUrls: ["b", "a", "c"],
      peerCount: 3,
    });
  });

  it("lists the nodes that an invalidation did not reach", async () => {
    const { a, b, network, fetches } = twoNodes();
    await a.handle.get({ node: "a", id: 1 });
    network.down.add("a");
    const { acknowledged, failed } = await b.handle.invalidate({ node: "a", id: 1 });
    expect(acknowledged).toEqual(["b"]);
    expect(failed).toMatchObject([{ peerId: "a", error: { code: "PEER_UNREACHABLE" } }]);
    // Meanwhile b fetches locally; once a is back, the lookup of b carries the fence.
    expect(await b.handle.get({ node: "a", id: 1 })).toMatchObject({ by: "b" });
    await b.handle.invalidate({ node: "a", id: 1 });
    network.down.delete("a");
    expect(await b.handle.get({ node: "a", id: 1 })).toMatchObject({ by: "a" });
    expect(fetches.a).toHaveLength(2);
    await settled();
    for (const { handle } of [a, b]) expectBalance(handle.stats());
  });
});
