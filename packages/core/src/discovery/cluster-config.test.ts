import { describe, expect, it } from "vitest";
import { clusterConfigFromEnv } from "./cluster-config.ts";

const byAddress = { PARSEC_SELF_URL: "http://10.0.0.1:8080", PARSEC_PEER_DNS: "parsec-peers" };

describe("clusterConfigFromEnv", () => {
  it("defaults to one node on port 8080", () => {
    const alone = { selfUrl: "http://localhost:8080", peerUrls: ["http://localhost:8080"] };
    expect(clusterConfigFromEnv({})).toEqual(alone);
    expect(clusterConfigFromEnv({ PARSEC_SELF_URL: " ", PARSEC_PEER_URLS: " , " })).toEqual(alone);
  });

  it("reads the two variables and ignores spaces and empty items", () => {
    const env = {
      PARSEC_SELF_URL: " http://10.0.0.1:8080 ",
      PARSEC_PEER_URLS: "http://10.0.0.1:8080, http://10.0.0.2:8080,,https://cache.example:443,",
    };
    expect(clusterConfigFromEnv(env)).toEqual({
      selfUrl: "http://10.0.0.1:8080",
      peerUrls: ["http://10.0.0.1:8080", "http://10.0.0.2:8080", "https://cache.example:443"],
    });
  });

  it("reads the secret of the peers, and never shows one that is too short", () => {
    const env = { PARSEC_SELF_URL: "http://10.0.0.1:8080" };
    const secret = "sixteen characters";
    expect(clusterConfigFromEnv({ ...env, PARSEC_PEER_SECRET: secret })).toMatchObject({ secret });
    expect(clusterConfigFromEnv({ ...env, PARSEC_PEER_SECRET: "" })).not.toHaveProperty("secret");
    expect(() => clusterConfigFromEnv({ ...env, PARSEC_PEER_SECRET: "hunter2" })).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.not.stringContaining("hunter2"),
      }),
    );
    expect(() => clusterConfigFromEnv({ ...env, PARSEC_PEER_SECRET: "hunter2" })).toThrow(
      /PARSEC_PEER_SECRET.* at least 16 characters/,
    );
  });

  it("accepts addresses of the gRPC transport", () => {
    const env = {
      PARSEC_SELF_URL: "grpc://10.0.0.1:50051",
      PARSEC_PEER_URLS: "grpc://10.0.0.1:50051,grpcs://10.0.0.2:50051/",
    };
    expect(clusterConfigFromEnv(env)).toEqual({
      selfUrl: "grpc://10.0.0.1:50051",
      peerUrls: ["grpc://10.0.0.1:50051", "grpcs://10.0.0.2:50051"],
    });
  });

  it("keeps the spelling of a URL except for a trailing slash, because it is the node id", () => {
    const env = { PARSEC_SELF_URL: "http://Node-1:80/", PARSEC_PEER_URLS: "http://Node-1:80/" };
    expect(clusterConfigFromEnv(env)).toEqual({
      selfUrl: "http://Node-1:80",
      peerUrls: ["http://Node-1:80"],
    });
  });

  it.each([
    ["parsec-peers", "http://10.0.0.1:8080"],
    ["_http._tcp.parsec-peers", "http://node-1:8080"],
    ["srv:parsec.service.consul", "http://10.0.0.1:8080"],
  ])("finds the others by DNS: %s", async (name, selfUrl) => {
    const config = clusterConfigFromEnv({
      PARSEC_SELF_URL: selfUrl,
      PARSEC_PEER_DNS: ` ${name} `,
      PARSEC_PEER_DNS_SERVERS: "127.0.0.1:8600, 127.0.0.2",
      PARSEC_PEER_DNS_REFRESH_MS: "1000",
      PARSEC_PEER_URLS: " ",
    });
    expect(config).toMatchObject({ selfUrl, peerUrls: [selfUrl] });
    expect(config.discovery?.stats()).toMatchObject({ members: [], answers: 0 });
    await config.discovery?.close();
  });

  it("reads process.env when nothing is given", () => {
    const before = { ...process.env };
    process.env.PARSEC_SELF_URL = "http://10.9.8.7:6543";
    delete process.env.PARSEC_PEER_URLS;
    try {
      expect(clusterConfigFromEnv().selfUrl).toBe("http://10.9.8.7:6543");
    } finally {
      process.env = before;
    }
  });

  it.each([
    [
      { PARSEC_SELF_URL: "10.0.0.1:8080" },
      /^PARSEC_SELF_URL: "10\.0\.0\.1:8080" is not a valid URL/,
    ],
    [
      { PARSEC_SELF_URL: "ftp://10.0.0.1" },
      /^PARSEC_SELF_URL must have the scheme http:, https:, grpc: or grpcs:/,
    ],
    [
      { PARSEC_PEER_URLS: "http://a:1,nonsense" },
      /^PARSEC_PEER_URLS: "nonsense" is not a valid URL/,
    ],
    [{ PARSEC_PEER_URLS: "http://a:1 http://b:1" }, /^PARSEC_PEER_URLS: .*not a valid URL/],
    [{ PARSEC_PEER_DNS: "parsec-peers" }, /^PARSEC_SELF_URL: .*must contain this node's address/],
    [
      { ...byAddress, PARSEC_PEER_DNS: "dns+http://parsec-peers:8080" },
      /^PARSEC_PEER_DNS must be a DNS name .*without scheme and port/,
    ],
    [
      { ...byAddress, PARSEC_PEER_URLS: "http://10.0.0.1:8080" },
      /^set either PARSEC_PEER_URLS or PARSEC_PEER_DNS, not both/,
    ],
    [{ ...byAddress, PARSEC_PEER_DNS_SERVERS: "dns.example" }, /^PARSEC_PEER_DNS_SERVERS must be/],
    [{ ...byAddress, PARSEC_PEER_DNS_REFRESH_MS: "5s" }, /^PARSEC_PEER_DNS_REFRESH_MS must be/],
    [
      { PARSEC_PEER_URLS: "unix:/tmp/socket" },
      /^PARSEC_PEER_URLS must have the scheme http:, https:, grpc: or grpcs:/,
    ],
  ])("refuses %j and names the variable", (env, message) => {
    expect(() => clusterConfigFromEnv(env)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(message),
      }),
    );
  });
});
