import { describe, expect, it } from "vitest";
import { resolveDnsOptions } from "./dns-discovery-options.ts";

const name = "parsec-peers";

describe("resolveDnsOptions", () => {
  it("requires a name and fills in the other defaults", () => {
    expect(resolveDnsOptions({ name })).toMatchObject({
      name,
      record: "address",
      servers: undefined,
      refreshMs: 5000,
      timeoutMs: 3000,
      maxBackoffMs: 30_000,
      forgetAfter: 2,
      maxPeers: 1000,
    });
  });

  it("looks up SRV records for names that begin with _ by default", () => {
    expect(resolveDnsOptions({ name: "_http._tcp.x" }).record).toBe("srv");
    expect(resolveDnsOptions({ name: "_http._tcp.x", record: "address" }).record).toBe("address");
    expect(resolveDnsOptions({ name, record: "srv" }).record).toBe("srv");
  });

  it("backs off to at least the refresh interval", () => {
    expect(resolveDnsOptions({ name, refreshMs: 60_000 }).maxBackoffMs).toBe(60_000);
  });

  it("uses no search domains with explicit servers unless they are given", async () => {
    const servers = ["127.0.0.1:53", "::1", "[::1]:8600", "10.0.0.2"];
    const none = resolveDnsOptions({ name, servers });
    expect(none.servers).toEqual(servers);
    expect(await none.search()).toMatchObject({ domains: [] });
    const some = resolveDnsOptions({ name, servers, searchDomains: ["svc.cluster.local"] });
    expect(await some.search()).toMatchObject({ domains: ["svc.cluster.local"] });
  });

  it.each([
    [undefined, /^options must be an object/],
    [{}, /^name must be a DNS name .*got undefined/],
    [{ name: "" }, /^name must be/],
    [{ name: "http://parsec-peers:8080" }, /^name must be .*without scheme and port/],
    [{ name: "parsec-peers:8080" }, /^name must be/],
    [{ name: "10.0.0.1" }, /^name must be/],
    [{ name: "a..b" }, /^name must be/],
    [{ name, record: "A" }, /^record must be "address" or "srv", got "A"/],
    [{ name, servers: [] }, /^servers must be/],
    [{ name, servers: "10.0.0.1" }, /^servers must be/],
    [{ name, servers: ["dns.example"] }, /^servers must be .*got "dns\.example"/],
    [{ name, servers: ["10.0.0.1:0"] }, /^servers must be/],
    [{ name, servers: ["10.0.0.1:65536"] }, /^servers must be/],
    [{ name, servers: ["[10.0.0.1]:53"] }, /^servers must be/],
    [{ name, searchDomains: ["a b"] }, /^searchDomains must be/],
    [{ name, searchDomains: "a" }, /^searchDomains must be/],
    [{ name, refreshMs: 9 }, /^refreshMs must be a number from 10/],
    [{ name, refreshMs: Number.NaN }, /^refreshMs must be a number/],
    [{ name, timeoutMs: 0 }, /^timeoutMs must be/],
    [{ name, maxBackoffMs: 4999 }, /^maxBackoffMs must be a number from 5000/],
    [{ name, forgetAfter: 0 }, /^forgetAfter must be/],
    [{ name, forgetAfter: 1.5 }, /^forgetAfter must be a whole number/],
    [{ name, maxPeers: 10_001 }, /^maxPeers must be/],
  ])("refuses %j", (options, message) => {
    expect(() => resolveDnsOptions(options as Parameters<typeof resolveDnsOptions>[0])).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(message),
      }),
    );
  });

  it("accepts an IPv6 server without a port, whose last group is not a port", () => {
    expect(resolveDnsOptions({ name, servers: ["fd00::2:53"] }).servers).toEqual(["fd00::2:53"]);
  });
});
