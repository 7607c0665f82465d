import http, { type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { createHttpPeers, type HttpPeers, type HttpPeersOptions } from "../src/index.ts";

/** A server on a free loopback port. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly server: http.Server;
  /** The request listener; may be set after the port is known. */
  listener: RequestListener;
  /** Closes the server and all its connections. */
  close(): Promise<void>;
}

export async function startServer(listener?: RequestListener): Promise<TestServer> {
  const server = http.createServer((request, response) => started.listener(request, response));
  const started: TestServer = {
    url: "",
    port: 0,
    server,
    listener: listener ?? ((_, response) => response.writeHead(500).end()),
    close: () => closeServer(server),
  };
  const port = await listen(server);
  return Object.assign(started, { port, url: `http://127.0.0.1:${port}` });
}

export async function listen(server: {
  listen(port: number, host: string, done: () => void): unknown;
  address(): AddressInfo | string | null;
}): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

export async function closeServer(server: http.Server): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

export interface TestNode {
  readonly peers: HttpPeers;
  readonly server: TestServer;
}

export interface TestCluster {
  readonly nodes: readonly TestNode[];
  readonly urls: readonly string[];
  close(): Promise<void>;
}

/** A cluster of nodes on loopback. */
export async function startCluster(
  count: number,
  options: Partial<HttpPeersOptions> = {},
): Promise<TestCluster> {
  const servers = await Promise.all(Array.from({ length: count }, () => startServer()));
  const urls = servers.map((server) => server.url);
  const nodes = servers.map((server) => {
    const peers = createHttpPeers({ selfUrl: server.url, peerUrls: urls, ...options });
    server.listener = peers.handler;
    return { peers, server };
  });
  return {
    nodes,
    urls,
    async close() {
      await Promise.all(nodes.map((node) => node.peers.close()));
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

/** Polls until the condition holds. The test's timeout bounds it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
