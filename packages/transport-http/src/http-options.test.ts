import { afterEach, describe, expect, it, vi } from "vitest";
import { type HttpPeersOptions, resolveHttpOptions } from "./http-options.ts";

const urls = ["http://a:8080", "http://b:8080"];
const base: HttpPeersOptions = { selfUrl: "http://a:8080", peerUrls: urls };

function failing(options: unknown): string {
  try {
    resolveHttpOptions(options as HttpPeersOptions);
  } catch (error) {
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    return (error as Error).message;
  }
  throw new Error("it was accepted");
}

describe("the list of nodes", () => {
  it("keeps each URL as given, without the trailing slash", () => {
    const peerUrls = ["HTTP://A:80/", "http://b:8080"];
    const { membership } = resolveHttpOptions({ selfUrl: "HTTP://A:80", peerUrls });
    expect(membership).toEqual({ selfId: "HTTP://A:80", ids: ["HTTP://A:80", "http://b:8080"] });
  });

  it.each([
    [
      "selfUrl is not listed",
      "http://c:8080",
      urls,
      /peerUrls must list every node.*http:\/\/a:8080/,
    ],
    ["nothing is listed", "http://a:8080", [], /peerUrls must list every node.*got nothing/],
    [
      "the case differs",
      "http://A:8080",
      urls,
      /spelled as in peerUrls, "http:\/\/a:8080".*got "http:\/\/A:8080"/,
    ],
    ["the scheme's case differs", "HTTP://a:8080", urls, /spelled/],
    ["the default port is spelled out", "http://a:80", ["http://a"], /spelled/],
    ["one is listed twice", "http://a:8080", [...urls, "http://b:8080"], /twice/],
    ["one is listed twice with a slash", "http://a:8080", [...urls, "http://b:8080/"], /twice/],
    [
      "one is listed in two spellings",
      "http://a:8080",
      [...urls, "http://B:8080"],
      /must list each node once, got .* and .* for one node/,
    ],
    ["one is not a URL", "http://a:8080", [...urls, "nonsense"], /peerUrls\[2\] must be a URL/],
    ["one is not http", "http://a:8080", [...urls, "ftp://c"], /must begin with http/],
    ["one has a query", "http://a:8080", [...urls, "http://c?x=1"], /query or a fragment/],
    ["one has an empty query", "http://a:8080", [...urls, "http://c?"], /query or a fragment/],
    ["one has a fragment", "http://a:8080", [...urls, "http://c#x"], /query or a fragment/],
    ["one has a path", "http://a:8080", [...urls, "http://c/p"], /basePath/],
    ["one has spaces around", "http://a:8080", [...urls, " http://c"], /spaces/],
    ["one is a number", "http://a:8080", [...urls, 5], /peerUrls\[2\] must be a URL, got 5/],
    ["selfUrl is missing", undefined, urls, /selfUrl must be a URL/],
    ["peerUrls is a string", "http://a:8080", "http://a:8080", /array/],
  ])("is rejected when %s", (_, selfUrl, peerUrls, message) => {
    expect(failing({ selfUrl, peerUrls })).toMatch(message);
  });

  it("is rejected when a URL has credentials, which the message does not contain", () => {
    const message = failing({ ...base, peerUrls: [...urls, "http://me:hunter2@c"] });
    expect(message).toMatch(/credentials/);
    expect(message).not.toContain("hunter2");
  });
});

describe("the options", () => {
  it("have defaults", () => {
    expect(resolveHttpOptions(base)).toMatchObject({
      basePath: "/_groupcache/",
      placement: "slots",
      secrets: [],
      requireClientCertificate: false,
      insecure: false,
      dialect: "native",
      peerWire: "native",
      connections: { maxPerPeer: 64, keepAliveMs: 4000 },
      limits: { maxFrameBytes: 4 * 1024 * 1024, maxLookupsSent: 128 },
      health: { failures: 3, silenceMs: 1000 },
    });
  });

  it("give each node its own sender, even with the same random", () => {
    const options = { ...base, random: () => 0.5 };
    expect(resolveHttpOptions(options).sender).not.toBe(resolveHttpOptions(options).sender);
  });

  it.each([["/"], ["/_groupcache/"], ["/a/b-c/d.e~f/"]])("accept %j as basePath", (basePath) => {
    expect(resolveHttpOptions({ ...base, basePath }).basePath).toBe(basePath);
  });

  it.each([
    ["basePath", { basePath: "" }],
    ["basePath", { basePath: "_groupcache/" }],
    ["basePath", { basePath: "/_groupcache" }],
    ["basePath", { basePath: "/a//b/" }],
    ["basePath", { basePath: "/a/../b/" }],
    ["basePath", { basePath: "/a b/" }],
    ["basePath", { basePath: "/a%20b/" }],
    ["basePath", { basePath: 5 }],
    ["placement", { placement: "ring" }],
    ["dialect", { dialect: "go" }],
    ["peerWire", { peerWire: "http" }],
    ["secret", { secret: "too short" }],
    ["secret", { secret: ["long enough to be a secret", "short"] }],
    ["secret", { secret: [] }],
    ["secret", { secret: 5 }],
    ["insecure", { insecure: false }],
    ["insecure", { insecure: "yes" }],
    ["tls", { tls: "pem" }],
    ["tls.cert", { tls: { cert: "pem" } }],
    ["selfUrl", { selfUrl: "http://a:0", peerUrls: ["http://a:0"] }],
    ["peerUrls[1]", { peerUrls: ["http://a", "http://b:0"] }],
    // A hole, which `map` would skip.
    ["peerUrls[1]", { peerUrls: Object.assign(new Array(3), { 0: "http://a", 2: "http://c" }) }],
    ["peerUrls[0]", { peerUrls: [null] }],
    ["peerUrls", { peerUrls: "http://a" }],
    ["openLoopback", { openLoopback: "yes" }],
    ["connections.maxPerPeer", { connections: { maxPerPeer: 2 } }],
    ["connections.maxUnanswered", { connections: { maxUnanswered: 65 } }],
    ["limits.maxLookups", { limits: { maxLookups: 70_000 } }],
    ["limits.maxLookupsSent", { limits: { maxLookupsSent: 1.5 } }],
    ["limits.maxQueued", { limits: { maxQueued: Number.NaN } }],
    ["limits.bodyTimeoutMs", { limits: { bodyTimeoutMs: -1 } }],
    ["health.failures", { health: { failures: 0 } }],
    ["health.maxBackoffMs", { health: { minBackoffMs: 500, maxBackoffMs: 100 } }],
    ["closeTimeoutMs", { closeTimeoutMs: Number.POSITIVE_INFINITY }],
  ])("reject an invalid %s and name it", (name, wrong) => {
    expect(failing({ ...base, ...wrong })).toContain(name);
  });

  it("do not show a secret that is too short", () => {
    expect(failing({ ...base, secret: "hunter2" })).not.toContain("hunter2");
  });

  it("are required", () => {
    expect(failing(undefined)).toMatch(/options/);
  });
});

describe("without a folder that the processes of the host could share", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("a lone node has a secret of its own, and several nodes need one", () => {
    vi.stubEnv("XDG_RUNTIME_DIR", "");
    vi.stubEnv("TMPDIR", "/missing");
    const selfUrl = "http://127.0.0.1:1";
    const secretOf = () => resolveHttpOptions({ selfUrl, peerUrls: [selfUrl] }).secrets[0];
    expect(secretOf()).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(secretOf()).not.toBe(secretOf());
    const several = [selfUrl, "http://127.0.0.1:2"];
    expect(() => resolveHttpOptions({ selfUrl, peerUrls: several })).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("got ENOENT; or set secret"),
      }),
    );
  });
});

it.each([
  [{ timeout: 5 }, /^timeout is not an option of createHttpPeers; /],
  [{ basepath: "/x/" }, "basepath is not an option of createHttpPeers; did you mean basePath?"],
  [
    { limits: { getTimeout: 5 } },
    "getTimeout is not an option of limits; did you mean getTimeoutMs?",
  ],
  [{ connections: { max: 5 } }, /^max is not an option of connections; did you mean maxPerPeer\?/],
  [{ health: { failure: 5 } }, "failure is not an option of health; did you mean failures?"],
  [{ tls: { certificate: "x" } }, "certificate is not an option of tls; did you mean cert?"],
])("rejects the unknown option of %o", (given, message) => {
  const least = { selfUrl: "https://a:1", peerUrls: ["https://a:1"] };
  expect(() => resolveHttpOptions({ ...least, ...given } as never)).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: typeof message === "string" ? message : expect.stringMatching(message),
    }),
  );
});
