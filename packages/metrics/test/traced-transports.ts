import { randomUUID } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { PeerPicker } from "@parsec/core";
import { createGrpcPeers } from "@parsec/transport-grpc";
import { createHttpPeers, type HttpPeersOptions } from "@parsec/transport-http";
import { createNatsPeers } from "@parsec/transport-nats";
import { vi } from "vitest";

/** Wraps a picker for use in the cluster. */
export type Trace = <Picker extends PeerPicker>(picker: Picker) => Picker;

/** Two nodes in this process, connected over sockets. */
export interface TwoNodes {
  readonly pickers: readonly PeerPicker[];
  /** Closes what the pickers do not close. */
  close(): Promise<void>;
}

async function startServers(): Promise<{ servers: http.Server[]; ports: number[] }> {
  const servers = [http.createServer(), http.createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    await once(server.listen(0, "127.0.0.1"), "listening");
    ports.push((server.address() as AddressInfo).port);
  }
  return { servers, ports };
}

async function closeServers(servers: readonly http.Server[]): Promise<void> {
  await Promise.all(servers.map((server) => once(server.close(), "close")));
}

export async function overHttp(
  trace: Trace,
  options: Partial<HttpPeersOptions> = {},
): Promise<TwoNodes> {
  const { servers, ports } = await startServers();
  const peerUrls = ports.map((port) => `http://127.0.0.1:${port}`);
  const pickers = peerUrls.map((selfUrl, index) => {
    const peers = trace(createHttpPeers({ selfUrl, peerUrls, ...options }));
    servers[index]?.on("request", peers.handler);
    return peers;
  });
  return { pickers, close: () => closeServers(servers) };
}

export async function overGrpc(trace: Trace): Promise<TwoNodes> {
  // The ports were free a moment ago.
  const { servers, ports } = await startServers();
  await closeServers(servers);
  const peerUrls = ports.map((port) => `grpc://127.0.0.1:${port}`);
  const pickers = peerUrls.map((selfUrl) => trace(createGrpcPeers({ selfUrl, peerUrls })));
  await Promise.all(pickers.map((peers) => peers.listen({ host: "127.0.0.1" })));
  return { pickers, close: async () => {} };
}

export async function overNats(trace: Trace, servers: string): Promise<TwoNodes> {
  const cluster = randomUUID();
  const ids = ["node-1", "node-2"];
  const pickers = ids.map((nodeId) =>
    trace(createNatsPeers({ servers, cluster, nodeId, membership: { static: ids } })),
  );
  await Promise.all(pickers.map((peers) => peers.ready()));
  await vi.waitUntil(() => pickers.every((peers) => peers.peers().length === 1));
  return { pickers, close: async () => {} };
}
