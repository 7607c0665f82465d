import { createDataSourceClusterRegistry } from "@parsec/core";
import { expect, onTestFinished, test, vi } from "vitest";
import { createHttpPeers } from "../src/index.ts";
import { startServer } from "./http-cluster.ts";

test("warns once of an address whose processes do not know each other, as behind a load balancer", async () => {
  const servers = await Promise.all([startServer(), startServer()]);
  const [balancer, own] = servers;
  const peerUrls = servers.map(({ url }) => url);
  const warned: string[] = [];
  const startNode = (selfUrl: string, isWatched: boolean) => {
    const peers = createHttpPeers({
      selfUrl,
      peerUrls,
      secret: "a secret for this test only",
      onWarning: ({ kind, peerId, message }) => {
        if (isWatched && kind === "shared-address") warned.push(`${peerId}: ${message}`);
      },
    });
    const registry = createDataSourceClusterRegistry({ peers });
    onTestFinished(() => registry.close());
    return peers;
  };
  onTestFinished(async () => {
    await Promise.all(servers.map((server) => server.close()));
  });
  const nodes = [startNode(balancer.url, false), startNode(balancer.url, false)];
  let requests = 0;
  balancer.listener = (request, response) => {
    requests++;
    nodes[requests % 2]?.handler(request, response);
  };
  own.listener = startNode(own.url, true).handler;

  await vi.waitFor(() => expect(warned).toHaveLength(1), { timeout: 20_000 });
  expect(warned[0]).toContain(`${balancer.url}: ${balancer.url} is shared by processes`);
  expect(warned[0]).toContain("give each machine an address of its own");
  const reportedAt = requests;
  await vi.waitFor(() => expect(requests).toBeGreaterThan(reportedAt + 2), { timeout: 20_000 });
  expect(warned).toHaveLength(1);
}, 45_000);
