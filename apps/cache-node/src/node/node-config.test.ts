import { resolve } from "node:path";
import { getHeapStatistics } from "node:v8";
import { parseFlags } from "@parsec/program";
import { expect, test } from "vitest";
import { describeNats } from "./nats-target.ts";
import { type NodeConfig, resolveNodeConfig } from "./node-config.ts";
import { nodeFlags, nodeSettings } from "./node-settings.ts";

function configOf(args: readonly string[], env: Record<string, string> = {}): NodeConfig {
  return resolveNodeConfig(parseFlags(args, nodeFlags, { singleDash: true }), env);
}

test("has the defaults of the Go example, copies on two nodes, no data on disk", () => {
  expect(configOf([])).toEqual({
    node: "node-1",
    platform: "cache-platform",
    nats: { kind: "servers", urls: ["nats://localhost:4222"] },
    insecure: false,
    http: { host: undefined, port: 8080 },
    partitions: 64,
    replicas: 2,
    ack: "one-backup",
    persist: undefined,
    sync: "second",
    leaveMs: 15_000,
    maxMib: Math.floor(getHeapStatistics().heap_size_limit / 2 / 1024 ** 2),
    logLevel: "info",
  });
});

test("a flag overrides its variable, which overrides the default; an empty variable counts as absent", () => {
  const env = {
    PARSEC_NODE: "from-env",
    PARSEC_PLATFORM: "p",
    PARSEC_ACK: " all ",
    PARSEC_HTTP: "",
  };
  expect(configOf(["-node", "from-flag"], env)).toMatchObject({
    node: "from-flag",
    platform: "p",
    ack: "all",
    http: { port: 8080 },
  });
});

test.each([
  [":8081", { host: undefined, port: 8081 }],
  ["8081", { host: undefined, port: 8081 }],
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["localhost:65535", { host: "localhost", port: 65_535 }],
  ["[::1]:80", { host: "::1", port: 80 }],
])("--http %s", (text, address) => {
  expect(configOf(["-http", text]).http).toEqual(address);
});

test.each([
  ["none", { kind: "none" }],
  ["embedded", { kind: "embedded" }],
  ["nats://a:4222, tls://b", { kind: "servers", urls: ["nats://a:4222", "tls://b"] }],
  ["a:4222", { kind: "servers", urls: ["nats://a:4222"] }],
])("--nats %s", (text, nats) => {
  expect(configOf(["-nats", text]).nats).toEqual(nats);
});

test("a folder is relative to the working directory", () => {
  expect(configOf(["--persist", "data"]).persist).toBe(resolve("data"));
});

test.each([
  ["--http", "65536"],
  ["--http", "localhost"],
  ["--http", "a:b:1"],
  ["--http", "http://localhost:80"],
  ["--http", "::1:80"],
  ["--nats", "http://localhost"],
  ["--nats", "nats://"],
  ["--nats", ","],
  ["--partitions", "0"],
  ["--partitions", "4097"],
  ["--partitions", "1e2"],
  ["--partitions", "6.4"],
  ["--replicas", "9"],
  ["--ack", "none"],
  ["--sync", "never"],
  ["--leave-seconds", "0"],
  ["--leave-seconds", "86401"],
  ["--max-mib", "0"],
  ["--max-mib", "1048577"],
  ["--log-level", "loud"],
  ["--node", "a\nb"],
  ["--node", "n".repeat(256)],
])("%s %j is refused, naming the flag", (flag, text) => {
  const refusal = (source: string) =>
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(new RegExp(`^${source} must be `)),
    });
  expect(() => configOf([flag, text])).toThrow(refusal(flag));
  const { variable } = nodeSettings[flag.slice(2) as keyof typeof nodeSettings];
  expect(() => configOf([], { [variable]: text })).toThrow(refusal(variable));
});

test("a password in a URL is never shown", () => {
  const { nats } = configOf(["--nats", "nats://user:secret@a:4222,tls://b"]);
  expect(describeNats(nats)).toBe("nats://a:4222, tls://b");
  expect(() => configOf(["--nats", "nats://user:secret@"])).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining("secret") }),
  );
});
