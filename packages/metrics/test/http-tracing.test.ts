import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { createDataSourceClusterRegistry } from "@parsec/core";
import { createHttpPeers } from "@parsec/transport-http";
import { expect, it } from "vitest";
import { tracePeers } from "../src/opentelemetry/index.ts";
import { recordSpans } from "./recorded-spans.ts";

it("traces two nodes that ask each other over sockets", async () => {
  const spans = recordSpans();
  const servers = [http.createServer(), http.createServer()];
  const peerUrls = await Promise.all(
    servers.map(async (server) => {
      await once(server.listen(0, "127.0.0.1"), "listening");
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    }),
  );
  const nodes = servers.map((server, index) => {
    const peers = tracePeers(createHttpPeers({ selfUrl: peerUrls[index] ?? "", peerUrls }), {
      tracer: spans.tracer,
    });
    server.on("request", peers.handler);
    const registry = createDataSourceClusterRegistry({ peers });
    const users = registry.register(
      {
        name: "users",
        cacheKey: (id: number) => `secret-${id}`,
        fetch: async (id: number) => (id === 0 ? undefined : { id }),
      },
      { hot: false },
    );
    return { registry, users };
  });
  try {
    const inputs = Array.from({ length: 50 }, (_, id) => id);
    const all = await Promise.all(nodes.map(({ users }) => users.getMany(inputs)));
    expect(all[0]).toEqual(inputs.map((id) => (id === 0 ? undefined : { id })));
    await nodes[0]?.users.invalidate(1);

    // Each key was asked for on both nodes, so for each the one that does not own it asked the other.
    const clients = spans.of("CLIENT");
    const answers = spans.of("SERVER");
    for (const [name, least] of [
      ["parsec.lookup", 50],
      ["parsec.invalidate", 1],
    ] as const) {
      const asked = clients.filter((span) => span.name === name);
      expect(asked.length).toBeGreaterThanOrEqual(least);
      expect(answers.filter((span) => span.name === name)).toHaveLength(asked.length);
    }
    expect(new Set(clients.map(({ attributes }) => attributes["parsec.peer.id"]))).toEqual(
      new Set(peerUrls),
    );
    for (const span of spans.all()) {
      expect(JSON.stringify([span.name, span.attributes, span.events])).not.toContain("secret");
    }
  } finally {
    await Promise.all(nodes.map(({ registry }) => registry.close()));
    for (const server of servers) server.close();
    await spans.close();
  }
});
