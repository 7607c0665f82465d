import https from "node:https";
import { createGroupCache, type PeerAnswer, type PeerLookup } from "@parsec/core";
import { createScriptedHost } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { createRequestSigner } from "../src/http-auth.ts";
import { createHttpPeers, type HttpPeersOptions, type HttpPeersWarning } from "../src/index.ts";
import { Admissions } from "../src/server/http-admission.ts";
import { readHead } from "../src/server/http-head.ts";
import { createAuthority } from "./certificates.ts";
import { closeServer, listen, startCluster, startServer } from "./http-cluster.ts";
import { rawRequest } from "./raw-http.ts";

const secret = "a secret for this test only";
const otherSecret = "the secret of another test";
const lookup: PeerLookup = {
  group: "g",
  key: "token:hunter2",
  input: Buffer.from("hunter2"),
  fence: 0,
  timeoutMs: 2000,
};
const answer: PeerAnswer = { value: Buffer.from("v"), ttlMs: 1, fence: 0, ratePerMinute: 0 };

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Two nodes with different options, and a lookup that the first sends to the second. */
async function ask(
  asking: Partial<HttpPeersOptions>,
  answering: Partial<HttpPeersOptions>,
): Promise<string> {
  const warnings: HttpPeersWarning[] = [];
  const cluster = await startCluster(2);
  cleanups.push(() => cluster.close());
  const [selfUrl, peerUrl] = cluster.urls as readonly [string, string];
  const urls = [selfUrl, peerUrl];
  const onWarning = (warning: HttpPeersWarning): number => warnings.push(warning);
  const common = { peerUrls: urls, onWarning, health: { failures: 1 } };
  const client = createHttpPeers({ selfUrl, ...common, ...asking });
  const owner = createHttpPeers({ selfUrl: peerUrl, ...common, ...answering });
  cleanups.push(
    () => client.close(),
    () => owner.close(),
  );
  const host = createScriptedHost();
  host.onLookup(() => answer);
  owner.attach(host);
  const server = cluster.nodes[1]?.server;
  if (server !== undefined) server.listener = owner.handler;
  const outcome = await client
    .peers()[0]
    ?.lookup(lookup)
    .then(
      () => "answered",
      (error: Error & { code: string }) => `${error.code} ${error.message}`,
    );
  expect(host.lookups).toHaveLength(outcome === "answered" ? 1 : 0);
  expect(JSON.stringify(warnings)).not.toMatch(/hunter2|secret for|secret of/);
  return outcome ?? "no peer";
}

describe("with a secret, a node", () => {
  it("accepts requests of nodes that share it", async () => {
    expect(await ask({ secret }, { secret })).toBe("answered");
  });

  it("keeps serving while the secret is rotated", async () => {
    expect(await ask({ secret: [secret, otherSecret] }, { secret: [otherSecret, secret] })).toBe(
      "answered",
    );
    expect(await ask({ secret: [otherSecret, secret] }, { secret: [secret, otherSecret] })).toBe(
      "answered",
    );
  });

  it.each([
    ["another secret", { secret: otherSecret }],
    ["no secret", {}],
  ])("refuses a node with %s, on loopback too", async (_, asking) => {
    const outcome = await ask(asking, { secret });
    expect(outcome).toMatch(/PEER_UNREACHABLE .*401 UNAUTHENTICATED/);
  });

  it("still requires signatures when insecure is set", async () => {
    expect(await ask({}, { secret, insecure: true })).toMatch(/PEER_UNREACHABLE/);
  });

  it("requires a signature for every kind of request, and accepts each once", async () => {
    const server = await startServer();
    cleanups.push(() => server.close());
    const peers = createHttpPeers({ selfUrl: server.url, peerUrls: [server.url], secret });
    cleanups.push(() => peers.close());
    const host = createScriptedHost();
    peers.attach(host);
    server.listener = peers.handler;
    const send = (
      method: string,
      target: string,
      body: Uint8Array,
      authorization: string | undefined,
    ) =>
      rawRequest(
        server.port,
        [
          `${method} ${target} HTTP/1.1`,
          "Host: localhost",
          "Content-Type: application/vnd.parsec.frame",
          `Content-Length: ${body.length}`,
          ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
        ],
        body,
      );
    const sign = createRequestSigner({
      secret,
      receiver: server.url,
      wallNow: Date.now,
    });
    // No lookups, an invalidation of everything in "g", a cancellation of nothing.
    const lookups = Buffer.from("5001010007000000000000000000f03f0000", "hex");
    const invalidation = Buffer.from(
      "5001030007000000000000000000f03f0100" + "020100000000000000f03f00000000" + "67",
      "hex",
    );
    const cancellation = Buffer.from("5001040007000000000000000000f03f0000", "hex");
    const nothing = new Uint8Array();
    for (const [method, target, body, status] of [
      ["POST", "/_groupcache/", lookups, 200],
      ["POST", "/_groupcache/", invalidation, 200],
      ["POST", "/_groupcache/", cancellation, 204],
      ["GET", "/_groupcache/", nothing, 204],
      ["GET", "/_groupcache/g/k", nothing, 404],
    ] as const) {
      const unsigned = await send(method, target, body, undefined);
      expect(unsigned.status).toBe(401);
      expect(unsigned.json().code).toBe("UNAUTHENTICATED");
      expect(unsigned.headers["www-authenticate"]).toBe("Parsec-HMAC-SHA256");
      const authorization = sign({
        method,
        target,
        body: method === "GET" ? undefined : body,
      });
      const altered = await send(method, `${target}?`, body, authorization);
      expect(altered.status).toBe(401);
      expect((await send(method, target, body, authorization)).status).toBe(status);
      expect((await send(method, target, body, authorization)).status).toBe(401);
    }
    expect(host.invalidations).toHaveLength(1);
    const forged = sign({ method: "POST", target: "/_groupcache/", body: lookups });
    expect((await send("POST", "/_groupcache/", invalidation, forged)).status).toBe(401);
    expect(host.invalidations).toHaveLength(1);
  });
});

describe("without a secret or certificates, a node", () => {
  it("accepts requests of nodes on the same machine", async () => {
    expect(await ask({}, {})).toBe("answered");
    expect(await ask({ secret }, {})).toBe("answered");
  });

  it.each([
    ["forwarded by a proxy", ["Host: localhost", "X-Forwarded-For: 10.0.0.1"], 401],
    ["forwarded, in the newer header", ["Host: localhost", "Forwarded: for=10.0.0.1"], 401],
    ["to a domain of another machine", ["Host: rebound.example.com"], 401],
    ["to that domain with a port", ["Host: rebound.example.com:8080"], 401],
    ["to localhost", ["Host: localhost:8080"], 204],
    ["to a subdomain of localhost", ["Host: node-1.localhost:8080"], 204],
    ["to an address", ["Host: 127.0.0.1:8080"], 204],
    ["to an IPv6 address", ["Host: [::1]:8080"], 204],
    ["to a name without a domain", ["Host: parsec-1:8080"], 204],
  ])("answers a request %s (%j) with %d", async (_, headers, status) => {
    const cluster = await startCluster(1);
    cleanups.push(() => cluster.close());
    const [node] = cluster.nodes;
    node?.peers.attach(createScriptedHost());
    const port = node?.server.port ?? 0;
    const response = await rawRequest(port, ["GET /_groupcache/ HTTP/1.1", ...headers]);
    expect(response.status).toBe(status);
  });

  it("warns that peers on other machines will be refused", () => {
    const warnings: HttpPeersWarning[] = [];
    const create = (options: Partial<HttpPeersOptions>): void => {
      const onWarning = (warning: HttpPeersWarning): number => warnings.push(warning);
      const selfUrl = options.selfUrl ?? "http://node-1.example.com:8080";
      void createHttpPeers({ selfUrl, peerUrls: [selfUrl], onWarning, ...options }).close();
    };
    create({ secret });
    create({ insecure: true });
    create({ selfUrl: "http://localhost:8080" });
    create({ selfUrl: "http://127.0.0.1:8080" });
    expect(warnings).toEqual([]);
    create({});
    expect(warnings).toMatchObject([{ kind: "unprotected" }]);
  });
});

describe("a connection", () => {
  const admissions = (insecure: boolean): Admissions =>
    new Admissions({
      verifier: undefined,
      requireClientCertificate: false,
      insecure,
      hostnames: new Set(["node-1.example.com"]),
    });
  const request = (localAddress: string, remoteAddress: string) =>
    ({ socket: { localAddress, remoteAddress } }) as never;
  const head = (host = "localhost") => readHead(["Host", host]);

  it.each([
    ["127.0.0.1", "127.0.0.1", true],
    ["127.0.0.1", "127.8.9.10", true],
    ["::1", "::1", true],
    ["::ffff:127.0.0.1", "::ffff:127.0.0.1", true],
    ["10.0.0.1", "10.0.0.1", false],
    ["10.0.0.1", "127.0.0.1", false],
    ["127.0.0.1", "10.0.0.1", false],
    ["::ffff:10.0.0.1", "::ffff:10.0.0.1", false],
    ["fe80::1", "fe80::1", false],
    ["1127.0.0.1", "1127.0.0.1", false],
    ["", "", false],
  ])("to %s from %s counts as loopback: %s", (local, remote, isLoopback) => {
    const { refusal } = admissions(false).admit(request(local, remote), head());
    expect(refusal === undefined).toBe(isLoopback);
    expect(admissions(true).admit(request(local, remote), head()).refusal).toBeUndefined();
  });

  it("on loopback may use this node's own name", () => {
    const asked = request("127.0.0.1", "127.0.0.1");
    const { refusal } = admissions(false).admit(asked, head("node-1.example.com:8080"));
    expect(refusal).toBeUndefined();
  });
});

describe("with certificates, a node", () => {
  const authority = createAuthority("the cluster's authority");
  const strangers = createAuthority("another authority");

  async function secureNodes(
    options: { readonly client?: Partial<HttpPeersOptions>; readonly requestCert?: boolean } = {},
  ) {
    const serverCertificate = authority.issue("owner");
    const { requestCert = true } = options;
    const server = https.createServer({
      ...serverCertificate,
      ca: authority.ca,
      requestCert,
      // The handler refuses clients without a trusted certificate even where the server accepts them.
      rejectUnauthorized: false,
    });
    const port = await listen(server);
    cleanups.push(() => closeServer(server));
    const selfUrl = `https://127.0.0.1:${port}`;
    const asking = "https://client:1";
    const urls = [selfUrl, asking];
    const tls = { ca: authority.ca, ...authority.issue("node") };
    const owner = createHttpPeers({ selfUrl, peerUrls: urls, tls });
    const client = createHttpPeers({ selfUrl: asking, peerUrls: urls, tls, ...options.client });
    cleanups.push(
      () => owner.close(),
      () => client.close(),
    );
    const host = createScriptedHost();
    host.onLookup(() => answer);
    owner.attach(host);
    server.on("request", owner.handler);
    return { host, answer: client.peers()[0]?.lookup(lookup) };
  }

  it("accepts requests of nodes with certificates of the same authority", async () => {
    const { answer: got } = await secureNodes();
    expect(Buffer.from((await got)?.value ?? []).toString()).toBe("v");
  });

  it("refuses a node without a certificate", async () => {
    const { answer: got, host } = await secureNodes({ client: { tls: { ca: authority.ca } } });
    await expect(got).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
      message: expect.stringContaining("401 UNAUTHENTICATED"),
    });
    expect(host.lookups).toEqual([]);
  });

  it("refuses a node with a certificate of another authority", async () => {
    const tls = { ca: authority.ca, ...strangers.issue("stranger") };
    const { answer: got, host } = await secureNodes({ client: { tls } });
    await expect(got).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    expect(host.lookups).toEqual([]);
  });

  it("refuses all requests when its server does not request certificates", async () => {
    const { answer: got, host } = await secureNodes({ requestCert: false });
    await expect(got).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    expect(host.lookups).toEqual([]);
  });

  it("sends no request to a node with a certificate of another authority", async () => {
    const { answer: got, host } = await secureNodes({ client: { tls: { ca: strangers.ca } } });
    await expect(got).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
      message: expect.stringContaining("certificate"),
    });
    expect(host.lookups).toEqual([]);
  });

  it("accepts a peer's certificate for tls.serverName", async () => {
    const tls = { ca: authority.ca, ...authority.issue("node") };
    const { answer: got } = await secureNodes({
      client: { tls: { ...tls, serverName: "localhost" } },
    });
    expect(Buffer.from((await got)?.value ?? []).toString()).toBe("v");
    const wrong = await secureNodes({ client: { tls: { ...tls, serverName: "another-node" } } });
    await expect(wrong.answer).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
      message: expect.stringContaining("another name"),
    });
    expect(wrong.host.lookups).toEqual([]);
  });

  it("rejects http: URLs together with tls", () => {
    const selfUrl = "http://localhost:8080";
    const create = () =>
      createHttpPeers({ selfUrl, peerUrls: [selfUrl], tls: { ca: authority.ca } });
    expect(create).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

it("does not cache a refusal, and falls back to the local origin where the group allows it", async () => {
  const cluster = await startCluster(2);
  cleanups.push(() => cluster.close());
  const [first, second] = cluster.urls as readonly [string, string];
  const peers = createHttpPeers({ selfUrl: first, peerUrls: cluster.urls, secret: otherSecret });
  const owner = createHttpPeers({ selfUrl: second, peerUrls: cluster.urls, secret });
  const server = cluster.nodes[1]?.server;
  if (server !== undefined) server.listener = owner.handler;
  const cache = createGroupCache({ peers });
  const ownerCache = createGroupCache({ peers: owner });
  cleanups.push(
    () => cache.close(),
    () => ownerCache.close(),
  );
  const strict = cache.group("strict", { load: () => "local", onPeerFailure: "fail" });
  const lenient = cache.group("lenient", { load: () => "local" });
  let key = "k";
  while (peers.pick(key) === undefined) key += "k";
  await expect(strict.get(key)).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
  expect(Buffer.from((await lenient.get(key)) ?? []).toString()).toBe("local");
  expect(ownerCache.stats()).toEqual({});
});
