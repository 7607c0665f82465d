import { createDnsDiscovery } from "@parsec/core";
import { startDnsServer } from "@parsec/testkit";
import { expect, it } from "vitest";

it("a node keeps its peers while DNS does not answer", async () => {
  const dns = await startDnsServer();
  dns.set("parsec-peers", { addresses: ["127.0.0.1", "127.0.0.2"] });
  const discovery = createDnsDiscovery({
    name: "parsec-peers",
    servers: [dns.address],
    refreshMs: 20,
    timeoutMs: 50,
  });
  let peers: readonly string[] = [];
  discovery.start({
    selfId: "http://127.0.0.1:8080", // a transport that takes the discovery does this
    onPeers: (ids) => {
      peers = ids;
    },
    onWarning: () => {},
  });
  await discovery.ready();

  dns.misbehave("silent"); // or "failed", "refused", "short", "garbage", "stranger"
  await expect.poll(() => discovery.stats().failures).toBeGreaterThan(0);
  expect(peers).toEqual(["http://127.0.0.1:8080", "http://127.0.0.2:8080"]);

  await discovery.close();
  await dns.close();
});
