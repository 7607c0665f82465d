import { describeWithPrograms, startNatsCluster } from "@parsec/nats-fixtures";
import { expect, it, onTestFinished } from "vitest";
import { natsRings } from "./test-rings.ts";
import { until } from "./until.ts";

const keys = Array.from({ length: 40 }, (_, at) => `key ${at}`);

describeWithPrograms((start) => {
  it("survives the loss of each of three NATS servers in turn, with a replicated bucket", async () => {
    const servers = await startNatsCluster(start);
    onTestFinished(async () => {
      await cluster.close();
      for (const server of servers) await server.dispose();
    });
    const urls = servers.map(({ url }) => url);
    const cluster = natsRings(urls.join(), { bucketReplicas: 3 });
    const [a, b] = await Promise.all(["a", "b"].map((id) => cluster.join(id)));
    await cluster.settled(["a", "b"]);
    await Promise.all(keys.map((key) => a?.put(key, "0")));
    for (const [turn, server] of servers.entries()) {
      await server.stop();
      // Requests under way when the server died may have failed.
      const put = (key: string): Promise<unknown> | undefined => b?.put(key, `${turn + 1}`);
      await until(async () => {
        const written = await Promise.allSettled(keys.map((key) => put(key)));
        return written.every(({ status }) => status === "fulfilled");
      });
      expect(await Promise.all(keys.map((key) => a?.get(key)))).toEqual(
        keys.map(() => `${turn + 1}`),
      );
      await server.start();
      await cluster.settled(["a", "b"]);
    }
    for (const { hooks } of cluster.rings) expect(hooks.join()).not.toContain("lost");
    const warnings = cluster.rings.flatMap(({ events }) =>
      events.filter(({ type }) => type === "warning"),
    );
    expect(warnings).toEqual([]);
  }, 60_000);
});
