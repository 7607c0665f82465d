import { hostSecret } from "@parsec/core/transport";
import { expect, it } from "vitest";
import { type NatsPeersOptions, resolveNatsOptions } from "./nats-options.ts";

const least = { cluster: "c", nodeId: "a" };

it("fills in the defaults", () => {
  const resolved = resolveNatsOptions(least);
  expect(resolved).toMatchObject({
    cluster: "c",
    nodeId: "a",
    connection: undefined,
    placement: "slots",
    secrets: [hostSecret()],
    insecure: false,
    closeTimeoutMs: 5000,
    membership: {
      kind: "kv",
      bucket: "parsec_c",
      heartbeatMs: 1000,
      silenceMs: 3500,
      joinDelayMs: 200,
      replicas: 1,
      storage: "memory",
    },
    limits: { maxLookupsSent: 128, maxUnanswered: 4, maxOpen: 64, answerWindowBytes: 524_288 },
    health: { failures: 3, silenceMs: 1000 },
  });
  expect(resolved.sender).not.toBe(resolveNatsOptions(least).sender);
});

it("names the bucket after the cluster, for any name", () => {
  const bucket = (cluster: string): string => {
    const { membership } = resolveNatsOptions({ ...least, cluster });
    return membership.kind === "kv" ? membership.bucket : "";
  };
  for (const cluster of ["prod", "a.b", "日本", "*"]) {
    expect(bucket(cluster)).toMatch(/^parsec_[A-Za-z0-9_-]+$/);
  }
});

it("accepts a list of members, or settings of the bucket", () => {
  const listed = resolveNatsOptions({ ...least, membership: { static: ["a", "b"] } });
  expect(listed.membership).toEqual({ kind: "static", ids: ["a", "b"] });
  const kv = { bucket: "b", heartbeatMs: 100, replicas: 3, storage: "file" } as const;
  const set = resolveNatsOptions({ ...least, membership: { kv } });
  expect(set.membership).toMatchObject({ ...kv, kind: "kv", silenceMs: 350 });
});

it("is not harmed by a callback that throws", () => {
  const { onWarning } = resolveNatsOptions({
    ...least,
    onWarning: () => {
      throw new Error("a bug of the user's");
    },
  });
  onWarning({ kind: "refused", peerId: "a", message: "x" });
});

const wrong: [string, object | null, string][] = [
  ["no options", null, "options must be an object"],
  ["no cluster", { nodeId: "a" }, "cluster must be a string"],
  ["no node id", { cluster: "c" }, "nodeId must be a string"],
  ["insecure false", { ...least, insecure: false }, "insecure must be true or left out"],
  ["a placement of its own", { ...least, placement: "ring" }, 'placement must be "slots"'],
  ["a short secret", { ...least, secret: "123456789012345" }, "at least 16 characters"],
  [
    "no secret in a list",
    { ...least, secret: [] },
    "secret must be a string or a non-empty array of strings",
  ],
  ["an unknown membership", { ...least, membership: "dns" }, "membership must be"],
  ["an empty membership", { ...least, membership: {} }, "membership must be"],
  ["a list without itself", { ...least, membership: { static: ["b"] } }, 'this one ("a") included'],
  ["a bucket with a dot", { ...least, membership: { kv: { bucket: "a.b" } } }, "kv.bucket"],
  [
    "a silence shorter than two heartbeats",
    { ...least, membership: { kv: { heartbeatMs: 1000, silenceMs: 1999 } } },
    "membership.kv.silenceMs must be a number from 2000",
  ],
  [
    "an unknown option",
    { ...least, server: "x" },
    "server is not an option of createNatsPeers; did you mean servers?",
  ],
  [
    "an unknown limit",
    { ...least, limits: { requestTimeout: 5 } },
    "did you mean requestTimeoutMs?",
  ],
  [
    "an unknown membership option",
    { ...least, membership: { kv: { heartbeat: 5 } } },
    "heartbeat is not an option of membership.kv; did you mean heartbeatMs?",
  ],
  [
    "a membership of two kinds misspelled",
    { ...least, membership: { kv: {}, statik: [] } },
    "did you mean static?",
  ],
  ["half a copy", { ...least, membership: { kv: { replicas: 1.5 } } }, "whole number"],
  ["a storage of its own", { ...least, membership: { kv: { storage: "tape" } } }, "kv.storage"],
  [
    "limits that no frame fits",
    { ...least, limits: { maxFrameBytes: 10 } },
    "limits.maxFrameBytes",
  ],
  ["too few open frames", { ...least, limits: { maxOpen: 2 } }, "limits.maxOpen"],
  ["a window too small", { ...least, limits: { answerWindowBytes: 100 } }, "answerWindowBytes"],
  ["no failure", { ...least, health: { failures: 0 } }, "health.failures"],
  ["servers of no kind", { ...least, servers: 7 }, "servers must be a URL"],
  ["a connection that is none", { ...least, connection: {} }, "NatsConnection"],
  [
    "a connection of the legacy client",
    { ...least, connection: { status: () => [], publish: () => {} } },
    "npm package nats 2 is its legacy line",
  ],
  [
    "a connection and servers",
    { ...least, connection: {}, servers: "host" },
    "set either connection or servers",
  ],
];

it.each(wrong)("refuses %s", (_, options, message) => {
  expect(() => resolveNatsOptions(options as NatsPeersOptions)).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(message),
    }),
  );
});
