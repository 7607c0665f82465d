import { once } from "node:events";
import https from "node:https";
import { createGroupCache, type PeerAnswer, type PeerLookup } from "@parsec/core";
import { createRequestSigner, hostSecret } from "@parsec/core/transport";
import { createScriptedHost } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { signedHead } from "../src/http-wire.ts";
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
    ["the secret of its host only", {}],
    ["no secret", { insecure: true }],
  ] as const)("refuses a node with %s, on loopback too", async (_, asking) => {
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
      const { authorization } = sign(signedHead(method, target), body);
      const altered = await send(method, `${target}?`, body, authorization);
      expect(altered.status).toBe(401);
      expect((await send(method, target, body, authorization)).status).toBe(status);
      expect((await send(method, target, body, authorization)).status).toBe(401);
    }
    expect(host.invalidations).toHaveLength(1);
    const forged = sign(signedHead("POST", "/_groupcache/"), lookups).authorization;
    expect((await send("POST", "/_groupcache/", invalidation, forged)).status).toBe(401);
    expect(host.invalidations).toHaveLength(1);
    // A recorded head is worth one body: the signed one does not get in after it.
    expect((await send("POST", "/_groupcache/", lookups, forged)).status).toBe(401);
  });
});

describe("without a secret or certificates, a node on loopback", () => {
  async function soleNode(options: Partial<HttpPeersOptions> = {}) {
    const cluster = await startCluster(1, options);
    cleanups.push(() => cluster.close());
    const [node] = cluster.nodes;
    const host = createScriptedHost();
    host.onLookup(() => answer);
    node?.peers.attach(host);
    const [url = ""] = cluster.urls;
    const send = (line: string, headers: readonly string[], body?: Uint8Array) =>
      rawRequest(node?.server.port ?? 0, [line, ...headers], body);
    return { host, url, send };
  }
  const frameHeaders = (body: Uint8Array) => [
    "Host: 127.0.0.1",
    "Content-Type: application/vnd.parsec.frame",
    `Content-Length: ${body.length}`,
  ];
  const lookups = Buffer.from("5001010007000000000000000000f03f0000", "hex");

  it("shares a secret with the other processes of its host", async () => {
    expect(await ask({}, {})).toBe("answered");
    expect(await ask({ secret: hostSecret() }, {})).toBe("answered");
  });

  it("refuses everybody else on loopback", async () => {
    expect(await ask({ secret }, {})).toMatch(/PEER_UNREACHABLE .*401 UNAUTHENTICATED/);
    expect(await ask({ insecure: true }, {})).toMatch(/401 UNAUTHENTICATED: signature is missing/);
    const { send, host } = await soleNode();
    for (const line of ["GET /_groupcache/g/k HTTP/1.1", "GET /_groupcache/ HTTP/1.1"]) {
      expect((await send(line, ["Host: 127.0.0.1"])).status).toBe(401);
    }
    const refused = await send("POST /_groupcache/ HTTP/1.1", frameHeaders(lookups), lookups);
    expect(refused.status).toBe(401);
    expect(host.lookups).toEqual([]);
  });

  it("answers unsigned GETs with openLoopback, and takes nothing else", async () => {
    const { send, host, url } = await soleNode({ openLoopback: true });
    const found = await send("GET /_groupcache/g/k HTTP/1.1", ["Host: 127.0.0.1"]);
    expect([found.status, host.lookups.length]).toEqual([200, 1]);
    const refused = await send("POST /_groupcache/ HTTP/1.1", frameHeaders(lookups), lookups);
    expect(refused.status).toBe(401);
    // A signature that is there must be valid.
    const sign = createRequestSigner({ secret, receiver: url, wallNow: Date.now });
    const { authorization } = sign(signedHead("GET", "/_groupcache/g/k"));
    const headers = ["Host: 127.0.0.1", `Authorization: ${authorization}`];
    expect((await send("GET /_groupcache/g/k HTTP/1.1", headers)).status).toBe(401);
  });

  it.each([
    ["in HTTP/1.0", "1.0", ["Host: localhost"], 401],
    ["that closes the connection", "1.1", ["Host: localhost", "Connection: close"], 401],
    ["with X-Forwarded-For", "1.1", ["Host: localhost", "X-Forwarded-For: 10.0.0.1"], 401],
    ["with X-Forwarded-Proto", "1.1", ["Host: localhost", "X-Forwarded-Proto: https"], 401],
    ["with Forwarded", "1.1", ["Host: localhost", "Forwarded: for=10.0.0.1"], 401],
    ["with Via", "1.1", ["Host: localhost", "Via: 1.1 proxy"], 401],
    ["with X-Real-IP", "1.1", ["Host: localhost", "X-Real-IP: 10.0.0.1"], 401],
    ["of a web page", "1.1", ["Host: localhost", "Sec-Fetch-Site: cross-site"], 401],
    ["to a domain of another machine", "1.1", ["Host: rebound.example.com"], 401],
    ["to that domain with a port", "1.1", ["Host: rebound.example.com:8080"], 401],
    ["to a name without a domain", "1.1", ["Host: parsec-1:8080"], 401],
    ["to an address of another machine", "1.1", ["Host: 192.0.2.1:8080"], 401],
    ["to localhost", "1.1", ["Host: localhost:8080"], 204],
    ["to a subdomain of localhost", "1.1", ["Host: node-1.localhost:8080"], 204],
    ["to an address", "1.1", ["Host: 127.0.0.1:8080"], 204],
    ["to an IPv6 address", "1.1", ["Host: [::1]:8080"], 204],
  ])(
    "with openLoopback, answers a request %s (HTTP/%s, %j) with %d",
    async (_, version, headers, status) => {
      const { send } = await soleNode({ openLoopback: true });
      expect((await send(`GET /_groupcache/ HTTP/${version}`, headers)).status).toBe(status);
    },
  );
});

describe("without a secret or certificates, a node with another address", () => {
  const selfUrl = "http://node-1.example.com:8080";

  it("answers nobody, and warns", async () => {
    const warnings: HttpPeersWarning[] = [];
    const server = await startServer();
    const onWarning = (warning: HttpPeersWarning): number => warnings.push(warning);
    const peers = createHttpPeers({ selfUrl, peerUrls: [selfUrl], onWarning });
    cleanups.push(
      () => server.close(),
      () => peers.close(),
    );
    peers.attach(createScriptedHost());
    server.listener = peers.handler;
    expect(warnings).toMatchObject([{ kind: "unprotected", peerId: selfUrl }]);
    expect(warnings[0]?.message).toMatch(/set secret .*, tls.cert and tls.key, or insecure: true/);
    for (const host of ["127.0.0.1", "node-1.example.com:8080"]) {
      const head = ["GET /_groupcache/ HTTP/1.1", `Host: ${host}`];
      expect((await rawRequest(server.port, head)).status).toBe(401);
    }
  });

  it("prints the warning when nothing listens for it", async () => {
    const printed = once(process, "warning");
    void createHttpPeers({ selfUrl, peerUrls: [selfUrl] }).close();
    expect((await printed)[0]).toMatchObject({
      name: "ParsecWarning",
      message: expect.stringContaining("this node answers no requests"),
    });
  });

  it("warns about members elsewhere that are added to nodes on loopback", () => {
    const warnings: HttpPeersWarning[] = [];
    const local = "http://127.0.0.1:8080";
    const onWarning = (warning: HttpPeersWarning): number => warnings.push(warning);
    const peers = createHttpPeers({ selfUrl: local, peerUrls: [local], onWarning });
    cleanups.push(() => peers.close());
    peers.updatePeers([local, "http://localhost:8081"]);
    expect(warnings).toEqual([]);
    peers.updatePeers([local, selfUrl]);
    expect(warnings).toMatchObject([
      { kind: "unprotected", message: expect.stringContaining(`${selfUrl} does not share`) },
    ]);
  });

  it("does not warn when a secret, certificates or insecure is set, or all nodes are on loopback", () => {
    const warnings: HttpPeersWarning[] = [];
    const create = (options: Partial<HttpPeersOptions>): void => {
      const onWarning = (warning: HttpPeersWarning): number => warnings.push(warning);
      const self = options.selfUrl ?? selfUrl;
      void createHttpPeers({ selfUrl: self, peerUrls: [self], onWarning, ...options }).close();
    };
    create({ secret });
    create({ insecure: true });
    create({ selfUrl: "http://localhost:8080" });
    create({ selfUrl: "http://127.0.0.1:8080" });
    create({ selfUrl: "http://[::1]:8080" });
    const authority = createAuthority("the authority of this test");
    create({
      selfUrl: "https://node-1.example.com",
      tls: { ca: authority.ca, ...authority.issue("node") },
    });
    expect(warnings).toEqual([]);
  });
});

describe("with openLoopback, a connection", () => {
  const admissions = (open: boolean): Admissions =>
    new Admissions({
      verifier: undefined,
      requireClientCertificate: false,
      insecure: false,
      openLoopback: open,
      hostnames: new Set(["node-1.example.com"]),
    });
  const request = (localAddress: string, remoteAddress: string) =>
    ({ method: "GET", httpVersion: "1.1", socket: { localAddress, remoteAddress } }) as never;
  const head = (host = "localhost") => ({ target: "/", head: readHead(["Host", host]) });

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
    const { refusal } = admissions(true).admit(request(local, remote), head());
    expect(refusal === undefined).toBe(isLoopback);
    expect(admissions(false).admit(request(local, remote), head()).refusal).toBeTypeOf("string");
  });

  it("may use this node's own name", () => {
    const asked = request("127.0.0.1", "127.0.0.1");
    const { refusal } = admissions(true).admit(asked, head("node-1.example.com:8080"));
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
