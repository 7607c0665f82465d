import { createGroupCache } from "@parsec/core";
import { startBlackHoleProxy } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { createGrpcPeers } from "../src/index.ts";
import { freePorts } from "./free-ports.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Two nodes, of which the first reaches the second through a proxy. `load` is the second's loader. */
async function startPair(load: (key: string) => Promise<string> | string) {
  const [port] = (await freePorts(1)) as [number];
  const proxy = await startBlackHoleProxy(port);
  const [selfUrl, ownerUrl] = ["grpc://127.0.0.1:1", `grpc://127.0.0.1:${proxy.port}`] as const;
  const warnings: string[] = [];
  const options = {
    peerUrls: [selfUrl, ownerUrl],
    secret: "a secret of 16 characters or more",
    health: { silenceMs: 60, pingTimeoutMs: 5000 },
    closeTimeoutMs: 100,
  };
  const peers = createGrpcPeers({
    ...options,
    selfUrl,
    onWarning: ({ message }) => void warnings.push(message),
  });
  const ownerPeers = createGrpcPeers({ ...options, selfUrl: ownerUrl });
  await ownerPeers.listen({ host: "127.0.0.1", port });
  const cache = createGroupCache({ peers });
  const ownerCache = createGroupCache({ peers: ownerPeers, handOverMs: 0 });
  const settings = { hot: false, timeoutMs: 20_000 } as const;
  const group = cache.group("g", { ...settings, load: () => "loaded by the requester" });
  ownerCache.group("g", { ...settings, load });
  cleanups.push(
    () => proxy.close(),
    () => Promise.all([cache.close(), ownerCache.close()]),
  );
  const keys: string[] = [];
  for (let index = 0; keys.length < 100; index++) {
    if (peers.pick(`key ${index}`) !== undefined) keys.push(`key ${index}`);
  }
  const get = async (key: string): Promise<string> =>
    Buffer.from((await group.get(key)) ?? []).toString();
  return { proxy, warnings, group, get, keys };
}

describe("connections that swallow everything, while new ones work", () => {
  it("lose no lookup and no invalidation", async () => {
    const { proxy, warnings, group, get, keys } = await startPair((key) => `value of ${key}`);
    const [first, second, third] = keys as [string, string, string];
    await get(first);
    await group.invalidate(first);
    proxy.swallow();
    const invalidated = group.invalidate(second);
    expect(await get(third)).toBe(`value of ${third}`);
    expect((await invalidated).failed).toEqual([]);
    expect(warnings).toEqual([]);
    expect(await get(first)).toBe(`value of ${first}`);
  });

  it("are not suspected while an origin is slow", async () => {
    const loads: string[] = [];
    const answers: ((value: string) => void)[] = [];
    const { get, keys } = await startPair((key) => {
      loads.push(key);
      return new Promise((resolve) => {
        answers.push(resolve);
      });
    });
    const slow = get(keys[0] as string);
    // Several pings, each of which finds the peer alive.
    const other = get(keys[1] as string);
    await expect.poll(() => loads.length).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const answer of answers) answer("late");
    expect(await Promise.all([slow, other])).toEqual(["late", "late"]);
    expect(loads).toHaveLength(2);
  });
});
