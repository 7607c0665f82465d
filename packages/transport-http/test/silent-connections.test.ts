import http from "node:http";
import { createGroupCache } from "@parsec/core";
import { startBlackHoleProxy } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { createHttpPeers } from "../src/index.ts";
import { closeServer, listen } from "./http-cluster.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Two nodes, of which the first reaches the second through a proxy. `load` is the second's loader. */
async function startPair(load: (key: string) => Promise<string> | string) {
  const owner = http.createServer();
  const proxy = await startBlackHoleProxy(await listen(owner));
  const [selfUrl, ownerUrl] = ["http://127.0.0.1:1", `http://127.0.0.1:${proxy.port}`] as const;
  const warnings: string[] = [];
  const options = {
    peerUrls: [selfUrl, ownerUrl],
    secret: "a secret of 16 characters or more",
    health: { silenceMs: 60, pingTimeoutMs: 5000 },
    closeTimeoutMs: 100,
  };
  const peers = createHttpPeers({
    ...options,
    selfUrl,
    onWarning: ({ message }) => void warnings.push(message),
  });
  const ownerPeers = createHttpPeers({ ...options, selfUrl: ownerUrl });
  owner.on("request", ownerPeers.handler);
  const cache = createGroupCache({ peers });
  const ownerCache = createGroupCache({ peers: ownerPeers, handOverMs: 0 });
  const settings = { hot: false, timeoutMs: 20_000 } as const;
  const group = cache.group("g", { ...settings, load: () => "loaded by the requester" });
  ownerCache.group("g", { ...settings, load });
  cleanups.push(
    () => closeServer(owner),
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

  it("are found among others that work", async () => {
    const { proxy, get, keys } = await startPair((key) => `value of ${key}`);
    await Promise.all(keys.slice(0, 8).map(get));
    proxy.swallow(1);
    for (const key of keys.slice(8)) expect(await get(key)).toBe(`value of ${key}`);
  });

  it("are not suspected while an origin is slow", async () => {
    const loads: string[] = [];
    let answer = (_: string): void => {};
    const { proxy, get, keys } = await startPair((key) => {
      loads.push(key);
      return new Promise((resolve) => {
        answer = resolve;
      });
    });
    const slow = get(keys[0] as string);
    // Four pings and more.
    await expect.poll(() => proxy.connections).toBeGreaterThan(5);
    answer("late");
    expect(await slow).toBe("late");
    expect(loads).toHaveLength(1);
  });
});
