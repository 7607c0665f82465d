import { createPrivateKey } from "node:crypto";
import { connect } from "node:net";
import { credentials } from "@grpc/grpc-js";
import { createScriptedHost, describePeerContract } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { messageMethods } from "../src/grpc-wire.ts";
import { createGrpcPeers, type GrpcPeersOptions, type GrpcPeersWarning } from "../src/index.ts";
import { createAuthority } from "./certificates.ts";
import { freePorts } from "./free-ports.ts";
import { startNodes } from "./grpc-nodes.ts";
import { createRawClient } from "./raw-client.ts";

const authority = await createAuthority("the cluster's authority");
const strangers = await createAuthority("another authority");
const own = await authority.issue("node");
const tls = { ca: authority.ca, ...own };
const lookup = { group: "g", key: "k", input: undefined, fence: 0, timeoutMs: 2000 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const limits = { maxKeyBytes: 2000, maxValueBytes: 100_000 };
describePeerContract({
  name: "gRPC with certificates on both sides",
  limits,
  async setup() {
    const nodes = await startNodes({ origin: "grpcs://localhost", tls, limits });
    return {
      nodes: nodes.peers.map((picker) => ({ picker })),
      close: () => nodes.close(),
    };
  },
});

/** Two nodes with different options, and the outcome of a lookup that the first sends to the second. */
async function ask(
  asking: Partial<GrpcPeersOptions>,
  answering: Partial<GrpcPeersOptions>,
): Promise<string> {
  const [selfPort, peerPort] = await freePorts(2);
  const [selfUrl, peerUrl] = [`localhost:${selfPort}`, `localhost:${peerPort}`];
  const warnings: GrpcPeersWarning[] = [];
  const onWarning = (warning: GrpcPeersWarning): number => warnings.push(warning);
  const common = { peerUrls: [selfUrl, peerUrl], onWarning };
  const client = createGrpcPeers({ selfUrl, ...common, ...asking });
  const owner = createGrpcPeers({ selfUrl: peerUrl, ...common, ...answering });
  cleanups.push(
    () => client.close(),
    () => owner.close(),
  );
  const host = createScriptedHost();
  host.onLookup(() => ({ value: Buffer.from("v"), ttlMs: 0, fence: 0, ratePerMinute: 0 }));
  owner.attach(host);
  await owner.listen();
  const outcome = await client
    .peers()[0]
    ?.lookup(lookup)
    .then(
      () => "answered",
      (error: Error & { code: string }) => `${error.code} ${error.message}`,
    );
  expect(host.lookups).toHaveLength(outcome === "answered" ? 1 : 0);
  expect(JSON.stringify(warnings)).not.toContain("PRIVATE KEY");
  return outcome ?? "no peer";
}

describe("a node with certificates", () => {
  it("accepts nodes with certificates of its authority", async () => {
    expect(await ask({ tls }, { tls })).toBe("answered");
  });

  it("accepts loopback calls over TLS when it requires no client certificates", async () => {
    const lax = { ...tls, requireClientCertificate: false };
    expect(await ask({ tls: { ca: authority.ca } }, { tls: lax })).toBe("answered");
  });

  // Only Linux has the other addresses of 127.0.0.0/8 without configuration.
  it.each(
    process.platform === "linux"
      ? ([
          ["127.0.0.1", /^answered$/],
          ["127.0.0.2", /another name/],
        ] as const)
      : ([["127.0.0.1", /^answered$/]] as const),
  )(
    "is reached at the IP address %s if its certificate is for it, without a warning of Node",
    async (address, expected) => {
      const printed: Error[] = [];
      const note = (warning: Error): number => printed.push(warning);
      process.on("warning", note);
      cleanups.push(() => process.off("warning", note));
      const [selfPort, peerPort] = await freePorts(2);
      const urls = [`grpcs://${address}:${selfPort}`, `grpcs://${address}:${peerPort}`];
      const [client, owner] = urls.map((selfUrl) =>
        createGrpcPeers({ selfUrl, peerUrls: urls, tls }),
      );
      cleanups.push(
        () => client?.close(),
        () => owner?.close(),
      );
      const host = createScriptedHost();
      host.onLookup(() => ({ value: Buffer.from("v"), ttlMs: 0, fence: 0, ratePerMinute: 0 }));
      owner?.attach(host);
      await owner?.listen();
      const outcome = client?.peers()[0]?.lookup(lookup);
      expect(await outcome?.then(() => "answered", String)).toMatch(expected);
      // Warnings are emitted in the next turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      expect(printed).toEqual([]);
    },
  );

  it("refuses a node without a certificate", async () => {
    expect(await ask({ tls: { ca: authority.ca } }, { tls })).toMatch(/^PEER_UNREACHABLE/);
  });

  it("refuses a node with a certificate of another authority", async () => {
    const stranger = { ca: authority.ca, ...(await strangers.issue("stranger")) };
    expect(await ask({ tls: stranger }, { tls })).toMatch(/^PEER_UNREACHABLE/);
  });

  it("is sent no call when its certificate is of another authority", async () => {
    const stranger = { ca: authority.ca, ...(await strangers.issue("stranger")) };
    expect(await ask({ tls }, { tls: stranger })).toMatch(/^PEER_UNREACHABLE .*certificate/);
  });

  it("is sent no call when its certificate is for another name", async () => {
    const asking = { ...tls, serverName: "another-node" };
    expect(await ask({ tls: asking }, { tls })).toMatch(/^PEER_UNREACHABLE .*another name/);
    expect(await ask({ tls: { ...tls, serverName: "node" } }, { tls })).toBe("answered");
  });

  it("neither accepts nor gets unencrypted calls", async () => {
    expect(await ask({}, { tls })).toMatch(/^PEER_UNREACHABLE/);
    expect(await ask({ tls }, {})).toMatch(/^PEER_UNREACHABLE/);
  });

  it("requires the signature, too, when there is a secret", async () => {
    const secret = "a secret for this test only";
    expect(await ask({ tls, secret }, { tls, secret })).toBe("answered");
    expect(await ask({ tls }, { tls, secret })).toMatch(/^PEER_UNREACHABLE .*signature is missing/);
  });

  it("accepts an encrypted key", async () => {
    const passphrase = "hunter2";
    const key = createPrivateKey(own.key)
      .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase })
      .toString();
    const encrypted = { ...tls, key, passphrase };
    expect(await ask({ tls: encrypted }, { tls: encrypted })).toBe("answered");
  });

  it("cannot listen without tls.cert", async () => {
    const peers = createGrpcPeers({
      selfUrl: "grpcs://localhost:1",
      peerUrls: ["grpcs://localhost:1"],
    });
    cleanups.push(() => peers.close());
    await expect(peers.listen()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("tls.cert and tls.key"),
    });
  });
});

it("closes in spite of a connection without a handshake", async () => {
  const nodes = await startNodes({
    count: 1,
    origin: "grpcs://localhost",
    tls,
    closeTimeoutMs: 600_000,
  });
  const socket = connect(nodes.peers[0]?.address?.port ?? 0, "127.0.0.1");
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.on("close", resolve));
  await new Promise((resolve) => socket.on("connect", resolve));
  await nodes.close();
  await closed;
});

it("accepts foreign clients with a certificate, and refuses them without one", async () => {
  const nodes = await startNodes({ count: 1, origin: "grpcs://localhost", tls });
  cleanups.push(() => nodes.close());
  const port = nodes.peers[0]?.address?.port ?? 0;
  nodes.peers[0]?.attach(createScriptedHost());
  const ca = Buffer.from(authority.ca);
  const known = createRawClient(
    port,
    credentials.createSsl(ca, Buffer.from(own.key), Buffer.from(own.cert)),
  );
  const unknown = createRawClient(port, credentials.createSsl(ca));
  cleanups.push(known.close, unknown.close);
  expect(await known.unary(messageMethods.check, new Uint8Array())).toMatchObject({ code: "OK" });
  expect(await unknown.unary(messageMethods.check, new Uint8Array())).toMatchObject({
    code: "UNAVAILABLE",
  });
});
