import { describe, expect, it } from "vitest";
import { createAuthority } from "../test/certificates.ts";
import { type GrpcPeersOptions, resolveGrpcOptions } from "./grpc-options.ts";

const urls = { selfUrl: "node-1:50051", peerUrls: ["node-1:50051", "node-2:50051"] };

function refusal(options: unknown): string {
  try {
    resolveGrpcOptions({ ...urls, ...(options as Partial<GrpcPeersOptions>) });
  } catch (error) {
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    return (error as Error).message;
  }
  return "accepted";
}

describe("the options", () => {
  it("have the defaults of the README", () => {
    const { clock, random, onWarning, sender, checkIds, ...resolved } = resolveGrpcOptions(urls);
    expect(checkIds(urls.peerUrls)).toEqual(urls.peerUrls);
    expect(resolved).toEqual({
      membership: { selfId: "node-1:50051", ids: urls.peerUrls },
      placement: "slots",
      secrets: [],
      tls: undefined,
      requireClientCertificate: false,
      insecure: false,
      openLoopback: false,
      openHealth: false,
      workers: undefined,
      connections: {
        maxUnanswered: 4,
        maxOpenFrames: 256,
        keepAliveMs: 20_000,
        keepAliveTimeoutMs: 5000,
      },
      limits: {
        maxFrameBytes: 4 * 1024 * 1024,
        maxLookups: 1024,
        maxGroupBytes: 1024,
        maxKeyBytes: 64 * 1024,
        maxInputBytes: 1024 * 1024,
        maxValueBytes: 16 * 1024 * 1024,
        maxInvalidationKeys: 10_000,
        maxLookupsSent: 128,
        maxQueued: 16_384,
        maxRequests: 4096,
        maxStreams: 1024,
        getTimeoutMs: 30_000,
        maxClockSkewMs: 30_000,
      },
      health: {
        failures: 3,
        minBackoffMs: 200,
        maxBackoffMs: 10_000,
        pingTimeoutMs: 1000,
        silenceMs: 1000,
      },
      closeTimeoutMs: 5000,
    });
    expect(typeof clock.now()).toBe("number");
    expect(random()).toBeLessThan(1);
    expect(onWarning({ kind: "refused", peerId: "x", message: "x" })).toBeUndefined();
    expect(Number.isSafeInteger(sender) && sender > 0).toBe(true);
  });

  it("give each start of a node its own sender, even with the same random numbers", () => {
    const random = (): number => 0.5;
    const senders = [1, 2, 3].map(() => resolveGrpcOptions({ ...urls, random }).sender);
    expect(new Set(senders).size).toBe(3);
  });

  it("require client certificates when a certificate is given, unless requireClientCertificate is false", async () => {
    const { ca, issue } = await createAuthority("the authority of this test");
    const tls = await issue("node-1");
    expect(resolveGrpcOptions({ ...urls, tls }).requireClientCertificate).toBe(true);
    expect(resolveGrpcOptions({ ...urls, tls: { ca } }).requireClientCertificate).toBe(false);
    const lax = { ...tls, requireClientCertificate: false };
    expect(resolveGrpcOptions({ ...urls, tls: lax }).requireClientCertificate).toBe(false);
  });

  it.each([
    ["null", null, /^options must be an object, got null/],
    ["a short secret", { secret: "short" }, /secret must have at least 16 characters/],
    ["an empty list of secrets", { secret: [] }, /secret must be a string or a non-empty array/],
    ["a short secret in the list", { secret: ["long enough, this one", "short"] }, /secret must/],
    ["insecure: false", { insecure: false }, /insecure must be true or left out, got false/],
    ["openHealth: 1", { openHealth: 1 }, /openHealth must be true or left out, got 1/],
    ["another placement", { placement: "ring" }, /placement must be "slots" or "groupcache"/],
    ["a certificate without its key", { tls: { cert: "c" } }, /tls.cert and tls.key/],
    ["tls that is not an object", { tls: true }, /tls must be an object/],
    ["a limit of 0", { limits: { maxKeyBytes: 0 } }, /limits.maxKeyBytes/],
    [
      "maxLookupsSent over maxLookups",
      { limits: { maxLookups: 8, maxLookupsSent: 9 } },
      /from 1 to 8/,
    ],
    [
      "half a stream as the limit",
      { limits: { maxStreams: 1.5 } },
      /limits.maxStreams must be a whole number/,
    ],
    ["silenceMs: 0", { health: { silenceMs: 0 } }, /health.silenceMs must be a number from 1/],
    [
      "a maximum backoff below the minimum",
      { health: { minBackoffMs: 500, maxBackoffMs: 400 } },
      /from 500/,
    ],
    [
      "a keep-alive below the minimum",
      { connections: { keepAliveMs: 10 } },
      /connections.keepAliveMs/,
    ],
    ["no PEM", { tls: { cert: "x", key: "y" } }, /^tls\.cert must be valid PEM/],
    ["garbage as authority", { tls: { ca: "garbage" } }, /^tls\.ca must be valid PEM/],
    [
      "a hole in peerUrls",
      { peerUrls: Object.assign(new Array(2), { 0: "node-1:50051" }) },
      /^peerUrls\[1\] must be/,
    ],
    [
      "port 0",
      { peerUrls: ["node-1:50051", "node-2:0"] },
      /^peerUrls\[1\] must have a port from 1/,
    ],
    ["openLoopback that is not true", { openLoopback: 1 }, /^openLoopback must be true/],
    ["a negative timeout", { closeTimeoutMs: -1 }, /closeTimeoutMs must be a number from 0/],
  ])("are rejected with %s", (_, options, message) => {
    const text =
      options === null
        ? (() => {
            try {
              resolveGrpcOptions(null as never);
              return "accepted";
            } catch (error) {
              return (error as Error).message;
            }
          })()
        : refusal(options);
    expect(text).toMatch(message);
    expect(text).not.toContain("short secret");
  });

  it.each([
    ["grpc://node-1:1", /tls needs grpcs: URLs for all nodes, got "grpc:\/\/node-1:1"/],
    ["http://node-1:1", /tls needs grpcs: URLs for all nodes, got "http:\/\/node-1:1"/],
    ["grpcs://node-1:1", /accepted/],
    ["node-1:1", /accepted/],
  ])("are checked with tls and %s", async (selfUrl, outcome) => {
    const { ca } = await createAuthority("the authority of this test");
    expect(refusal({ selfUrl, peerUrls: [selfUrl], tls: { ca } })).toMatch(outcome);
  });
});

it.each([
  [
    { openhealth: true },
    "openhealth is not an option of createGrpcPeers; did you mean openHealth?",
  ],
  [{ limits: { maxStream: 5 } }, "maxStream is not an option of limits; did you mean maxStreams?"],
  [
    { connections: { keepAlive: 5 } },
    "keepAlive is not an option of connections; did you mean keepAliveMs?",
  ],
])("rejects the unknown option of %o", (given, message) => {
  const least = { selfUrl: "grpc://a:1", peerUrls: ["grpc://a:1"] };
  expect(() => resolveGrpcOptions({ ...least, ...given } as never)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message }),
  );
});
