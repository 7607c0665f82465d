import { describe, expect, it } from "vitest";
import { createMapState } from "../test/map-state.ts";
import { createRing } from "./create-ring.ts";
import { type RingOptions, resolveRingOptions } from "./ring-options.ts";

const required = { platform: "p", node: "n" };

describe("the options of a ring", () => {
  it("have defaults by which a killed node is replaced within three seconds", () => {
    const { leaseMs, marginMs, partitions, replicas, ack } = resolveRingOptions(required);
    expect({ leaseMs, marginMs, partitions, replicas, ack }).toEqual({
      leaseMs: 1800,
      marginMs: 200,
      partitions: 64,
      replicas: 2,
      ack: "one-backup",
    });
  });

  it.each<[string, Partial<Record<keyof RingOptions, unknown>>]>([
    ["platform", { platform: "" }],
    ["node", { node: 7 }],
    ["node", { node: "\ud800" }],
    ["node", { node: "x".repeat(256) }],
    ["zone", { zone: "" }],
    ["weight", { weight: -1 }],
    ["partitions", { partitions: 0 }],
    ["partitions", { partitions: 1.5 }],
    ["partitions", { partitions: 1e6 }],
    ["replicas", { replicas: 0 }],
    ["ack", { ack: "some" }],
    ["leaseMs", { leaseMs: 1 }],
    ["marginMs", { leaseMs: 300, marginMs: 200 }],
    ["copies.concurrent", { copies: { concurrent: 0 } }],
    ["state.apply", { state: {} }],
    ["durable", { durable: true, state: createMapState() }],
  ])("are refused, naming %s", (field, over) => {
    const options = { ...required, ...over } as RingOptions;
    expect(() => resolveRingOptions(options)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(field),
      }),
    );
  });

  it.each([
    [{ lease: 5 }, "lease is not an option of createRing; did you mean leaseMs?"],
    [{ copies: { bytes: 5 } }, "bytes is not an option of copies; did you mean bytesPerSecond?"],
  ])("that are unknown are rejected: %o", (given, message) => {
    expect(() => createRing({ ...required, ...given } as never)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message }),
    );
  });

  it.each<[string, Partial<RingOptions>]>([
    ["servers", { servers: [] }],
    ["servers[0]", { servers: "http://x" }],
    ["bucketReplicas", { bucketReplicas: 9 }],
    ["bucketStorage", { bucketStorage: "tape" as "file" }],
  ])("for NATS are refused, naming %s, and no password", (field, over) => {
    expect(() => createRing({ ...required, ...over })).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(field),
      }),
    );
    expect(() => createRing({ ...required, servers: "nats://u:hunter2@ x" })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("hunter2") }),
    );
  });
});
