import { createServer, type Server } from "node:http";
import {
  createGroupCache,
  type GroupCache,
  isParsecError,
  type Peer,
  type PeerPicker,
} from "@parsec/core";
import { createGrpcPeers } from "@parsec/transport-grpc";
import { createHttpPeers } from "@parsec/transport-http";
import { afterEach, describe, expect, it } from "vitest";
import { freePorts } from "../sites/free-ports.ts";
import { grpcProxies, httpProxies, type ProxySetup, startProxy } from "./reverse-proxy.ts";

/* A node without configuration, on loopback, behind a stock proxy: invariant I10. */

const programs = {
  NGINX: {
    url: process.env.PARSEC_TEST_NGINX_URL,
    program: process.env.PARSEC_TEST_NGINX_PROGRAM,
    missing: process.env.PARSEC_TEST_NGINX_MISSING,
  },
  HAPROXY: {
    url: process.env.PARSEC_TEST_HAPROXY_URL,
    program: process.env.PARSEC_TEST_HAPROXY_PROGRAM,
    missing: process.env.PARSEC_TEST_HAPROXY_MISSING,
  },
  SOCAT: {
    url: process.env.PARSEC_TEST_SOCAT_URL,
    program: process.env.PARSEC_TEST_SOCAT_PROGRAM,
    missing: process.env.PARSEC_TEST_SOCAT_MISSING,
  },
} as const;

type Options = { readonly insecure?: true; readonly secret?: string; readonly openLoopback?: true };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Opens the peers of a node at `url`, whose server listens on `port`. */
type OpenNode = (options: {
  readonly url: string;
  readonly peerUrls: readonly string[];
  /** Undefined for a client, which does not listen. */
  readonly port: number | undefined;
  readonly options: Options;
}) => Promise<PeerPicker>;

const openHttp: OpenNode = async ({ url, peerUrls, port, options }) => {
  const peers = createHttpPeers({ selfUrl: url, peerUrls, closeTimeoutMs: 200, ...options });
  if (port === undefined) return peers;
  const server: Server = createServer(peers.handler);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return peers;
};

const openGrpc: OpenNode = async ({ url, peerUrls, port, options }) => {
  const peers = createGrpcPeers({ selfUrl: url, peerUrls, closeTimeoutMs: 200, ...options });
  if (port !== undefined) await peers.listen({ host: "127.0.0.1", port });
  return peers;
};

function createCache(peers: PeerPicker): GroupCache {
  const cache = createGroupCache({ peers, handOverMs: 50 });
  cleanups.push(() => cache.close());
  return cache;
}

/** Starts the proxy. Undefined when its program is not there. */
async function proxyTo(setup: ProxySetup, node: number): Promise<number | undefined> {
  const { program } = programs[setup.program];
  if (program === undefined) return undefined;
  const [listen = 0] = await freePorts(1);
  const proxy = await startProxy(setup, { program, listen, node });
  cleanups.push(() => proxy.close());
  return listen;
}

const missingReason = (setup: ProxySetup): string =>
  programs[setup.program].missing ?? `PARSEC_TEST_${setup.program}_URL is not set`;

const codeOf = (error: unknown): string =>
  isParsecError(error) ? `${error.code} ${error.message}` : `foreign: ${error}`;

/** What a stranger tries, by the peer of a node that cannot sign. Each outcome is "done", or the error. */
async function attack(peer: Peer): Promise<readonly string[]> {
  const timeoutMs = 10_000;
  const entry = { key: "mallory", value: Buffer.from("forged"), ttlMs: Number.POSITIVE_INFINITY };
  const attempts: readonly (() => Promise<unknown>)[] = [
    () => peer.lookup({ group: "g", key: "alice", input: undefined, fence: 0, timeoutMs }),
    () => peer.invalidate({ group: "g", target: { kind: "all" }, fence: 1 }, { timeoutMs }),
    async () => {
      const ticket = await peer.handOver?.({ group: "g", ticket: 0, entries: [] }, { timeoutMs });
      const entries = [{ ...entry, tags: [], fence: 0 }];
      await peer.handOver?.({ group: "g", ticket: ticket ?? 0, entries }, { timeoutMs });
    },
  ];
  const outcomes: string[] = [];
  for (const attempt of attempts) outcomes.push(await attempt().then(() => "done", codeOf));
  return outcomes;
}

describe.each([
  ["HTTP", "http", httpProxies, openHttp],
  ["gRPC", "grpc", grpcProxies, openGrpc],
] as const)("over %s, a node on loopback", (_name, scheme, proxies, open) => {
  const strangers: readonly Options[] = [
    { insecure: true },
    { secret: "the secret of another cluster" },
  ];

  it.for(Object.entries(proxies))(
    "takes and tells strangers nothing behind %s",
    async ([, setup], { skip }) => {
      const [port = 0] = await freePorts(1);
      const url = `${scheme}://127.0.0.1:${port}`;
      const listen = await proxyTo(setup, port);
      if (listen === undefined) return skip(missingReason(setup));
      const owner = await open({ url, peerUrls: [url], port, options: {} });
      const group = createCache(owner).group("g", { load: (key) => `true ${key}` });
      const read = async (key: string) => Buffer.from((await group.get(key)) ?? []).toString();
      expect(await read("alice")).toBe("true alice");
      for (const options of strangers) {
        const target = `${scheme}://127.0.0.1:${listen}`;
        const self = `${scheme}://127.0.0.1:1`;
        const peers = await open({
          url: self,
          peerUrls: [self, target],
          port: undefined,
          options,
        });
        cleanups.push(() => peers.close());
        for (const outcome of await attack(peers.peers()[0] as Peer)) {
          expect(outcome).toMatch(/UNAUTHENTICATED/);
        }
      }
      if (scheme === "http") {
        const answer = await fetch(`http://127.0.0.1:${listen}/_groupcache/g/alice`);
        expect(answer.status).toBe(401);
        expect(await answer.text()).not.toContain("true alice");
      }
      expect(group.stats().takenOver).toBe(0);
      expect(group.peek("alice")).toBeDefined();
      expect(await read("mallory")).toBe("true mallory");
    },
  );

  it.for(Object.entries(proxies))(
    "is reached by nodes that share its secret behind %s",
    async ([, setup], { skip }) => {
      const [port = 0, askerPort = 0] = await freePorts(2);
      const listen = await proxyTo(setup, port);
      if (listen === undefined) return skip(missingReason(setup));
      const url = `${scheme}://127.0.0.1:${listen}`;
      const askerUrl = `${scheme}://127.0.0.1:${askerPort}`;
      const peerUrls = [url, askerUrl];
      const owner = await open({ url, peerUrls, port, options: {} });
      const asker = await open({ url: askerUrl, peerUrls, port: askerPort, options: {} });
      createCache(owner).group("g", { load: (key) => `owner's ${key}` });
      const group = createCache(asker).group("g", { load: () => "asker's", onPeerFailure: "fail" });
      let key = "k";
      while (asker.pick(key) === undefined) key += "k";
      expect(Buffer.from((await group.get(key)) ?? []).toString()).toBe(`owner's ${key}`);
      expect((await group.invalidate(key)).failed).toEqual([]);
    },
  );
});

it("over HTTP, openLoopback answers nobody who comes through a proxy that leaves a trace", async ({
  skip,
}) => {
  const traceable = Object.entries(httpProxies).filter(([name]) =>
    ["nginx with proxy_pass alone", "nginx with X-Real-IP"].includes(name),
  );
  for (const [, setup] of traceable) {
    const [port = 0] = await freePorts(1);
    const listen = await proxyTo(setup, port);
    if (listen === undefined) return skip(missingReason(setup));
    const url = `http://127.0.0.1:${port}`;
    const options = { openLoopback: true } as const;
    const peers = await openHttp({ url, peerUrls: [url], port, options });
    createCache(peers).group("g", { load: () => "v" });
    expect((await fetch(`${url}/_groupcache/g/k`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${listen}/_groupcache/g/k`)).status).toBe(401);
  }
});
