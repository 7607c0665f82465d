import { describeWithPrograms, startTcpProxy } from "@parsec/nats-fixtures";
import { afterEach, expect, it } from "vitest";
import { tamper } from "./tamper.ts";
import { natsRings, type TestRing, type TestRings } from "./test-rings.ts";
import { until } from "./until.ts";

let cluster: TestRings | undefined;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  await cluster?.close();
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const keys = Array.from({ length: 60 }, (_, at) => `key ${at}`);
const ones = keys.map(() => "1");

async function filled(url: string): Promise<[TestRing, TestRing]> {
  cluster = natsRings(url);
  const [a, b] = await Promise.all(["a", "b"].map((id) => cluster?.join(id)));
  await cluster.settled(["a", "b"]);
  await Promise.all(keys.map((key) => a?.put(key, "1")));
  return [a as TestRing, b as TestRing];
}

function read(ring: TestRing): Promise<string[]> {
  return Promise.all(keys.map((key) => ring.get(key)));
}

describeWithPrograms((startServer) => {
  it("serves nothing while the server is down, and continues with all data when it is back", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const [, b] = await filled(server.url);
    await server.stop();
    await until(() => cluster?.rings.every(({ ring }) => !ring.state().leaseValid) === true);
    for (const { ring } of cluster?.rings ?? []) {
      expect(ring.state().owned).toEqual([]);
      expect(keys.some((key) => ring.ownsKey(key))).toBe(false);
      await expect(
        ring.write("key 1", Buffer.from("key 1=2"), { timeoutMs: 50 }),
      ).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    }
    await server.start();
    await cluster?.settled(["a", "b"]);
    expect(await read(b)).toEqual(ones);
    for (const { hooks } of cluster?.rings ?? []) expect(hooks.join()).not.toMatch(/release|lost/);
  }, 30_000);

  it("reads the whole bucket when the server's pending count is wrong", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const [a, b] = await filled(server.url);
    await Promise.all([a.ring.close(), b.ring.close()]);
    const proxy = await startTcpProxy(server.port);
    cleanups.push(() => proxy.close());
    proxy.miscounts = true;
    const joining = cluster?.join("c", { servers: proxy.url });
    await until(() => proxy.miscounted > 0);
    proxy.miscounts = false;
    const c = await joining;
    await until(() => c?.ring.state().owned.length === c?.ring.partitions);
  }, 30_000);

  it.each(["delete", "purge"] as const)(
    "recovers its data after a %s of the bucket",
    async (how) => {
      const server = await startServer();
      cleanups.push(() => server.dispose());
      const [a, b] = await filled(server.url);
      const before = a.ring.state().incarnation;
      await tamper(server.url, how);
      await until(() => [a, b].every(({ ring }) => ring.state().incarnation !== before));
      await cluster?.settled(["a", "b"]);
      expect(await read(b)).toEqual(ones);
      expect(a.events.some(({ type }) => type === "rejoining")).toBe(true);
      for (const { hooks } of [a, b]) expect(hooks.join()).not.toContain("lost");
    },
    30_000,
  );

  it("takes over from a node that is cut off, which serves nothing meanwhile and returns without partitions", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const proxy = await startTcpProxy(server.port);
    cleanups.push(() => proxy.close());
    const [a, b] = await filled(server.url);
    const c = await cluster?.join("c", { servers: proxy.url });
    await cluster?.settled(["a", "b", "c"]);
    proxy.partition();
    await cluster?.settled(["a", "b"]);
    expect(c?.ring.state().owned).toEqual([]);
    expect(await read(a)).toEqual(ones);
    await Promise.all(keys.map((key) => b.put(key, "2")));
    proxy.heal();
    await cluster?.settled(["a", "b", "c"]);
    expect(await Promise.all(keys.map((key) => c?.get(key)))).toEqual(keys.map(() => "2"));
    for (const { hooks } of cluster?.rings ?? []) expect(hooks.join()).not.toContain("lost");
  }, 30_000);

  it("reports a server without JetStream", async () => {
    const server = await startServer({ jetStream: false });
    cleanups.push(() => server.dispose());
    cluster = natsRings(server.url);
    await expect(cluster.join("a")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("JetStream"),
    });
  });

  it("does not join a ring with another number of partitions", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    cluster = natsRings(server.url);
    await cluster.join("a");
    await expect(cluster.join("b", { partitions: 32 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("partitions must be 16"),
    });
  });
});
