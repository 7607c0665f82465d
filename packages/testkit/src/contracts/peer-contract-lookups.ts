import type { PeerAnswer } from "@parsec/core";
import { expect } from "vitest";
import {
  answerOf,
  type ContractCase,
  type ContractLimits,
  echo,
  expectRejection,
  lookupOf,
  nodeAt,
  peerBetween,
  textOf,
} from "./contract-case.ts";
import { specialKeys } from "./contract-keys.ts";

const toSecond: { from: number; to: number } = { from: 0, to: 1 };

/** Bytes without repetition, so that a swapped or repeated chunk is detected. */
function patterned(bytes: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let index = 0; index < words.length; index++) words[index] = Math.imul(index, 0x9e3779b1);
  return new Uint8Array(words.buffer, 0, bytes);
}

function expectBytes(answer: PeerAnswer, expected: Uint8Array): void {
  expect(answer.value?.byteLength).toBe(expected.byteLength);
  expect(Buffer.compare(answer.value as Uint8Array, expected)).toBe(0);
}

/** Delivery of lookups, with all their fields, and of answers. */
export const lookupCases: readonly ContractCase[] = [
  {
    name: "a lookup finds a value",
    async run(context) {
      nodeAt(context, 1).host.onLookup(echo);
      const answer = await peerBetween(context, toSecond).lookup(lookupOf("alice"));
      expect(textOf(answer)).toBe(textOf(echo(lookupOf("alice"))));
    },
  },
  {
    name: "a host may answer synchronously or with a promise",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      host.onLookup(() => answerOf("synchronous"));
      expect(textOf(await peer.lookup(lookupOf("k")))).toBe("synchronous");
      host.onLookup(async () => answerOf("promised"));
      expect(textOf(await peer.lookup(lookupOf("k")))).toBe("promised");
    },
  },
  {
    name: "absent, empty and present values are distinguished",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      host.onLookup(() => answerOf("", { value: undefined }));
      expect((await peer.lookup(lookupOf("k"))).value).toBeUndefined();
      host.onLookup(() => answerOf(""));
      const { value } = await peer.lookup(lookupOf("k"));
      expect(value).toBeInstanceOf(Uint8Array);
      expect(value?.byteLength).toBe(0);
    },
  },
  {
    name: "a lookup reaches its peer exactly once, and no other peer (I6)",
    async run(context) {
      for (const { host } of context.nodes) host.onLookup(echo);
      const keys = Array.from({ length: 30 }, (_, index) => `key ${index}`);
      const peer = peerBetween(context, toSecond);
      // Placement assigns most of these keys to other nodes; the peer that receives the lookup answers it.
      await Promise.all(keys.map((key) => peer.lookup(lookupOf(key))));
      const arrived = nodeAt(context, 1).host.lookups.map(({ lookup }) => lookup.key);
      expect([...arrived].sort()).toEqual([...keys].sort());
      expect(nodeAt(context, 0).host.lookups).toEqual([]);
      expect(nodeAt(context, 2).host.lookups).toEqual([]);
    },
  },
  ...specialKeys.map(
    ([content, key]): ContractCase => ({
      name: `a key with ${content} arrives unchanged`,
      async run(context) {
        const { host } = nodeAt(context, 1);
        host.onLookup(echo);
        const answer = await peerBetween(context, toSecond).lookup(lookupOf(key));
        expect(host.lookups.map(({ lookup }) => lookup.key)).toEqual([key]);
        expect(textOf(answer)).toBe(textOf(echo(lookupOf(key))));
      },
    }),
  ),
  {
    name: "a group name with special characters arrives unchanged",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      const groups = ["g", "a/b c+d", "datasource:Köln%20", "日本"];
      for (const group of groups) await peer.lookup(lookupOf("k", { group }));
      expect(host.lookups.map(({ lookup }) => lookup.group)).toEqual(groups);
    },
  },
  {
    name: "the input arrives byte for byte, and a missing input as missing",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      const inputs = [undefined, new Uint8Array(0), Uint8Array.of(0, 255, 10), patterned(20_000)];
      for (const input of inputs) await peer.lookup(lookupOf("k", { input }));
      for (const [index, input] of inputs.entries()) {
        const arrived = host.lookups[index]?.lookup.input;
        if (input === undefined) expect(arrived).toBeUndefined();
        else expect(Buffer.from(arrived as Uint8Array).equals(input)).toBe(true);
      }
    },
  },
  {
    name: "the remaining ttl arrives, 0 and Infinity included",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      const answers: number[] = [];
      for (const ttlMs of [0, Number.POSITIVE_INFINITY, 60_000, 40 * 86_400_000]) {
        host.onLookup(() => answerOf("v", { ttlMs }));
        answers.push((await peer.lookup(lookupOf("k"))).ttlMs);
      }
      expect(answers.slice(0, 2)).toEqual([0, Number.POSITIVE_INFINITY]);
      // A transport may subtract the time of travel, and may not add any (I7).
      expect(answers[2]).toBeLessThanOrEqual(60_000);
      expect(answers[2]).toBeGreaterThan(30_000);
      expect(answers[3]).toBeLessThanOrEqual(40 * 86_400_000);
      expect(answers[3]).toBeGreaterThan(39 * 86_400_000);
    },
  },
  {
    name: "the fence arrives in both directions with all its 53 bits",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      const fences = [0, 1, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER];
      for (const fence of fences) {
        host.onLookup((lookup) => answerOf("v", { fence: lookup.fence }));
        expect((await peer.lookup(lookupOf("k", { fence }))).fence).toBe(fence);
      }
      expect(host.lookups.map(({ lookup }) => lookup.fence)).toEqual(fences);
    },
  },
  {
    name: "absent values carry ttl and fence too",
    async run(context) {
      nodeAt(context, 1).host.onLookup(() =>
        answerOf("", { value: undefined, ttlMs: Number.POSITIVE_INFINITY, fence: 77 }),
      );
      const answer = await peerBetween(context, toSecond).lookup(lookupOf("k"));
      expect(answer).toMatchObject({
        value: undefined,
        ttlMs: Number.POSITIVE_INFINITY,
        fence: 77,
      });
    },
  },
  {
    name: "the request rate arrives with the answer",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      for (const ratePerMinute of [0, 1, 90_000]) {
        host.onLookup(() => answerOf("v", { ratePerMinute }));
        expect((await peer.lookup(lookupOf("k"))).ratePerMinute).toBeCloseTo(ratePerMinute, 0);
      }
    },
  },
  {
    name: "the timeout of a lookup arrives at the host",
    async run(context) {
      const { host } = nodeAt(context, 1);
      await peerBetween(context, toSecond).lookup(lookupOf("k", { timeoutMs: 3000 }));
      const timeoutMs = host.lookups[0]?.lookup.timeoutMs;
      expect(timeoutMs).toBeGreaterThan(0);
      expect(timeoutMs).toBeLessThanOrEqual(3000);
    },
  },
  {
    name: "a large value arrives unchanged",
    async run(context) {
      const bytes = Math.min(2 ** 20, context.limits?.maxValueBytes ?? 2 ** 20);
      const value = patterned(bytes);
      nodeAt(context, 1).host.onLookup(() => answerOf("", { value }));
      expectBytes(await peerBetween(context, toSecond).lookup(lookupOf("k")), value);
    },
  },
  {
    name: "an answer does not change when the host overwrites its buffer afterwards",
    async run(context) {
      const value = Buffer.from("before");
      nodeAt(context, 1).host.onLookup(() => answerOf("", { value }));
      const answer = await peerBetween(context, toSecond).lookup(lookupOf("k"));
      value.fill("x");
      expect(textOf(answer)).toBe("before");
    },
  },
  {
    name: "a value of maxValueBytes arrives; a larger one is a typed error and fails no other lookup",
    needsLimits: true,
    async run(context) {
      const { maxValueBytes } = context.limits as ContractLimits;
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      host.onLookup(({ key }) => {
        if (key === "small") return answerOf("small");
        return answerOf("", { value: patterned(maxValueBytes + (key === "over" ? 1 : 0)) });
      });
      expectBytes(await peer.lookup(lookupOf("at")), patterned(maxValueBytes));
      const small = peer.lookup(lookupOf("small"));
      await expectRejection(peer.lookup(lookupOf("over")), "VALUE_TOO_LARGE", "FRAME_TOO_LARGE");
      expect(textOf(await small)).toBe("small");
      expect(textOf(await peer.lookup(lookupOf("small")))).toBe("small");
    },
  },
  {
    name: "a key of maxKeyBytes arrives; a longer one is KEY_TOO_LARGE and fails no other lookup",
    needsLimits: true,
    async run(context) {
      const { maxKeyBytes } = context.limits as ContractLimits;
      const { host } = nodeAt(context, 1);
      host.onLookup(echo);
      const peer = peerBetween(context, toSecond);
      await peer.lookup(lookupOf("k".repeat(maxKeyBytes)));
      const small = peer.lookup(lookupOf("small"));
      // Two bytes per character: the limit counts bytes.
      const over = "é".repeat(Math.floor(maxKeyBytes / 2) + 1);
      await expectRejection(peer.lookup(lookupOf(over)), "KEY_TOO_LARGE");
      await small;
      expect(host.lookups.map(({ lookup }) => lookup.key.length)).toEqual([maxKeyBytes, 5]);
    },
  },
];
