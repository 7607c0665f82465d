import { ParsecError } from "@parsec/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMemoryHub, createRing, type Ring } from "../src/index.ts";
import { memoryRings, type TestRing, type TestRings } from "./test-rings.ts";
import { until } from "./until.ts";

let cluster: TestRings;
let a: TestRing;
let b: TestRing;
beforeEach(async () => {
  cluster = memoryRings({ maxPayloadBytes: 1000 });
  [a, b] = (await Promise.all(["a", "b"].map((id) => cluster.join(id)))) as [TestRing, TestRing];
  await cluster.settled(["a", "b"]);
});
afterEach(() => cluster.close());

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const nothing = new Uint8Array();

function keyOf(id: string): string {
  const keys = Array.from({ length: 100 }, (_, at) => `key ${at}`);
  return keys.find((key) => a.ring.nodeFor(key) === id) as string;
}

describe("a call", () => {
  it("reaches the owner from any node, with the fence of its ownership", async () => {
    for (const { id, ring } of [a, b]) {
      ring.handle("who", ({ key, payload, partition, fence }) => {
        return Buffer.from(JSON.stringify([id, key, text(payload), partition, fence]));
      });
    }
    for (const owner of ["a", "b"]) {
      const key = keyOf(owner);
      for (const { ring } of [a, b]) {
        const [id, ...rest] = JSON.parse(text(await ring.call(key, "who", Buffer.from("x"))));
        expect(id).toBe(owner);
        const partEpoch = expect.any(Number);
        const { incarnation } = ring.state();
        expect(rest).toEqual([key, "x", ring.partitionFor(key), { incarnation, partEpoch }]);
      }
    }
  });

  it("rejects with the handler's own error", async () => {
    for (const { ring } of [a, b]) {
      ring.handle("typed", () => {
        throw new ParsecError("KEY_TOO_LARGE", "no");
      });
      ring.handle("other", () => Promise.reject(new Error("no")));
      ring.handle("text", () => "no bytes" as unknown as Uint8Array);
      ring.handle("long", () => new Uint8Array(2000));
    }
    for (const owner of ["a", "b"]) {
      const call = (method: string): Promise<Uint8Array> =>
        a.ring.call(keyOf(owner), method, nothing);
      await expect(call("typed")).rejects.toMatchObject({ code: "KEY_TOO_LARGE", message: "no" });
      await expect(call("other")).rejects.toMatchObject({ code: "ORIGIN_FAILED", message: "no" });
      await expect(call("text")).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
      await expect(call("unknown")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    const long = a.ring.call(keyOf("b"), "long", nothing);
    await expect(long).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
  });

  it("ends with the caller's time limit or signal, on this node and on others", async () => {
    const signals: AbortSignal[] = [];
    for (const { ring } of [a, b]) {
      ring.handle("hang", ({ signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      });
    }
    for (const owner of ["a", "b"]) {
      const key = keyOf(owner);
      const late = a.ring.call(key, "hang", nothing, { timeoutMs: 20 });
      await expect(late).rejects.toMatchObject({ code: "TIMEOUT" });
      const abort = new AbortController();
      const aborted = a.ring.call(key, "hang", nothing, { signal: abort.signal });
      abort.abort();
      await expect(aborted).rejects.toMatchObject({ code: "ABORTED" });
    }
    await until(() => signals.filter(({ aborted }) => aborted).length >= 2);
    expect(a.ring.state().pendingRequests).toBe(0);
  });

  it("is retried when its owner dies, if it is idempotent", async () => {
    for (const { id, ring } of [a, b]) {
      ring.handle("where", () => (id === "b" ? new Promise(() => {}) : Buffer.from(id)));
    }
    const key = keyOf("b");
    const careful = a.ring.call(key, "where", nothing);
    const harmless = a.ring.call(key, "where", nothing, { idempotent: true });
    b.cut();
    await expect(careful).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    expect(text(await harmless)).toBe("a");
  });

  it("rejects invalid keys, methods and payloads", async () => {
    const { ring } = a;
    const large = new Uint8Array(1001);
    await expect(ring.call("k", "m", large)).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
    await expect(ring.write("k", large)).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
    const noBytes = "text" as unknown as Uint8Array;
    await expect(ring.read("k", noBytes)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(() => ring.call("x".repeat(5000), "m", nothing)).toThrow(
      expect.objectContaining({ code: "KEY_TOO_LARGE" }),
    );
    expect(() => ring.partitionFor(7 as unknown as string)).toThrow(
      expect.objectContaining({ code: "INVALID_KEY" }),
    );
    // "é" in bytes, and half an emoji.
    for (const key of ["\udcc3\udca9", "a\ud83d"]) {
      expect(() => ring.call(key, "m", nothing)).toThrow(
        expect.objectContaining({ code: "INVALID_KEY" }),
      );
    }
    ring.handle("m", () => nothing);
    expect(() => ring.handle("m", () => nothing)).toThrow(
      expect.objectContaining({ code: "DUPLICATE_NAME" }),
    );
    await ring.close();
    await ring.close();
    await expect(ring.call("k", "m", nothing)).rejects.toMatchObject({ code: "CLOSED" });
    await expect(ring.start()).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("ignores malformed messages", async () => {
    const hub = createMemoryHub();
    const seats = [hub.seat(), hub.seat()] as const;
    const [{ coordinator, link }, { link: stranger }] = seats;
    const ring = createRing({ platform: "p", node: "n", coordinator, link });
    await ring.start();
    for (const bytes of ["", "\x00", "\x07\xff\xff\xff\xff", "x".repeat(100)]) {
      const answer = await stranger.request(link.address, Buffer.from(bytes, "latin1"), {
        timeoutMs: 1000,
      });
      expect(answer[0]).toBe(2);
    }
    expect(ring.state().leaseValid).toBe(true);
    await ring.close();
  });
});

describe("a planned move", () => {
  it("completes onRelease before the next owner's onOwn", async () => {
    const order: string[] = [];
    for (const { id, ring } of [a, b]) {
      ring.onRelease(async (partitions) => {
        await new Promise((resolve) => setImmediate(resolve));
        for (const each of partitions) order.push(`${id} released ${each}`);
      });
    }
    const c = await cluster.join("c");
    c.ring.onOwn((partitions) => {
      for (const each of partitions) order.push(`c owns ${each}`);
    });
    await cluster.settled(["a", "b", "c"]);
    const owned = c.ring.state().owned;
    expect(owned).toHaveLength(5);
    for (const partition of owned) {
      const released = order.findIndex((each) => each.endsWith(` released ${partition}`));
      expect(released).toBeGreaterThanOrEqual(0);
      expect(order.indexOf(`c owns ${partition}`)).toBeGreaterThan(released);
    }
  });

  it("works without a state option", async () => {
    const hub = createMemoryHub();
    const make = async (node: string): Promise<Ring> => {
      const { coordinator, link } = hub.seat();
      const ring = createRing({ platform: "p", node, coordinator, link, joinDelayMs: 0 });
      ring.handle("who", () => Buffer.from(node));
      await ring.start();
      return ring;
    };
    const first = await make("a");
    await until(() => first.state().owned.length === 64);
    const second = await make("b");
    await until(() => [first, second].every((ring) => ring.state().owned.length === 32));
    await first.leave();
    await until(() => second.state().owned.length === 64);
    expect(text(await second.call("k", "who", nothing))).toBe("b");
    await second.close();
  });

  it("waits for a hook up to its time limit, and reports that", async () => {
    const slow = await cluster.join("c", { hookTimeoutMs: 30 });
    await cluster.settled(["a", "b", "c"]);
    slow.ring.onRelease(() => new Promise(() => {}));
    await slow.ring.leave();
    await cluster.settled(["a", "b"]);
    expect(slow.events.some(({ type }) => type === "hook-failed")).toBe(true);
    expect(slow.ring.state().lastHookFailure).toMatchObject({ hook: "onRelease" });
  });
});
