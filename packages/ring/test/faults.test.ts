import { afterEach, expect, it } from "vitest";
import { natsRings, type TestRings } from "./test-rings.ts";
import { describeWithPrograms } from "./test-servers.ts";
import { until } from "./until.ts";

let cluster: TestRings | undefined;
afterEach(() => cluster?.close());

const keys = Array.from({ length: 60 }, (_, at) => `key ${at}`);

describeWithPrograms((startServer) => {
  it("goes on with all data after the server was restarted", async () => {
    const server = await startServer();
    cluster = natsRings(server.url);
    const [a, b] = await Promise.all(["a", "b"].map((id) => cluster?.join(id)));
    await cluster.settled(["a", "b"]);
    await Promise.all(keys.map((key) => a?.put(key, "1")));
    await server.stop();
    await until(() => cluster?.rings.every(({ ring }) => !ring.state().leaseValid) === true);
    expect(b?.ring.state().owned).toEqual([]);
    await server.start();
    await cluster.settled(["a", "b"]);
    expect(await Promise.all(keys.map((key) => b?.get(key)))).toEqual(keys.map(() => "1"));
    for (const { hooks } of cluster.rings) expect(hooks.join()).not.toMatch(/release|lost/);
    await server.dispose();
  }, 30_000);
});
