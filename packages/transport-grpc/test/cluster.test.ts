import { createGroupCache } from "@parsec/core";
import { describeCluster } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { createGrpcPeers } from "../src/index.ts";
import { startNodes } from "./grpc-nodes.ts";
import { until } from "./until.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describeCluster({
  name: "gRPC",
  async startCluster(count) {
    const { peers, close } = await startNodes({
      count,
      secret: "a secret for this test only",
      health: { failures: 1 },
      connections: { maxOpenFrames: 4, maxUnanswered: 2 },
    });
    return { nodes: peers.map((picker) => ({ picker, stop: () => picker.close() })), close };
  },
});

it("aborts the owner's loads when the client closes", async () => {
  const nodes = await startNodes({ count: 2, closeTimeoutMs: 20 });
  cleanups.push(() => nodes.close());
  let loads = 0;
  let aborted = false;
  const caches = nodes.peers.map((peers) => createGroupCache({ peers }));
  const [client, owner] = caches.map((cache) =>
    cache.group("g", {
      load: (_, { signal }) => {
        loads++;
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        return new Promise<never>(() => {});
      },
    }),
  );
  cleanups.push(() => Promise.all(caches.map((cache) => cache.close())));
  let index = 0;
  while (nodes.peers[1]?.pick(`key ${index}`) !== undefined) index++;
  const outcome = client?.get(`key ${index}`).catch((error: { code: string }) => error.code);
  await until(() => loads === 1);
  await caches[0]?.close();
  expect(await outcome).toBe("CLOSED");
  await until(() => aborted && owner?.stats().flights === 0);
});

describe("listen", () => {
  it("resolves with the address, and rejects with INVALID_ARGUMENT when it is in use", async () => {
    const nodes = await startNodes({ count: 1 });
    cleanups.push(() => nodes.close());
    const [node] = nodes.peers;
    const port = Number(nodes.ids[0]?.split(":").at(-1));
    expect(node?.address).toEqual({ host: "127.0.0.1", port });
    const other = createGrpcPeers({ selfUrl: nodes.ids[0] as string, peerUrls: nodes.ids });
    cleanups.push(() => other.close());
    await expect(other.listen()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("EADDRINUSE"),
    });
  });

  it("rejects after close", async () => {
    const nodes = await startNodes({ count: 1 });
    await nodes.close();
    expect(nodes.peers[0]?.address).toBeUndefined();
    await expect(nodes.peers[0]?.listen()).rejects.toMatchObject({ code: "CLOSED" });
  });
});
