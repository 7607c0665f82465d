import { ParsecError, type Peer, type PeerEntry, type PeerHandOver } from "@parsec/core";
import { expect } from "vitest";
import {
  type ContractCase,
  type ContractContext,
  type ContractLimits,
  expectRejection,
  lookupOf,
  nodeAt,
  peerBetween,
  textOf,
} from "./contract-case.ts";
import { specialKeys } from "./contract-keys.ts";

const toSecond: { from: number; to: number } = { from: 0, to: 1 };
const options: { timeoutMs: number } = { timeoutMs: 4000 };

function entryOf(key: string, over: Partial<PeerEntry> = {}): PeerEntry {
  return {
    key,
    value: Buffer.from(`of ${key.length}`),
    ttlMs: 60_000,
    tags: [],
    fence: 0,
    ...over,
  };
}

function partOf(entries: readonly PeerEntry[], over: Partial<PeerHandOver> = {}): PeerHandOver {
  return { group: "datasource:users", ticket: 1, entries, ...over };
}

async function handOver(context: ContractContext, part: PeerHandOver): Promise<number> {
  const peer: Peer = peerBetween(context, toSecond);
  if (peer.handOver === undefined) throw new Error("handOver must be implemented by the peer");
  return await peer.handOver(part, options);
}

/** Entries whose values are all Buffers, so that the class of a byte array does not matter. */
function comparable(entries: readonly PeerEntry[]): unknown[] {
  return entries.map((entry) => ({ ...entry, value: entry.value && Buffer.from(entry.value) }));
}

/** Memory-only lookups, retried invalidations and hand-overs: calls of nodes that join or leave. */
export const comingAndGoingCases: readonly ContractCase[] = [
  {
    name: "a memory-only lookup arrives as such, and a missing entry is answered as missing",
    async run(context) {
      const { host } = nodeAt(context, 1);
      host.onLookup(({ memoryOnly = false, key }) => ({
        value: key === "there" ? Buffer.from("it") : undefined,
        ttlMs: 1000,
        fence: 0,
        ratePerMinute: 0,
        missing: memoryOnly && key !== "there",
      }));
      const peer = peerBetween(context, toSecond);
      const look = { memoryOnly: true };
      const [there, missing, absent] = await Promise.all([
        peer.lookup(lookupOf("there", look)),
        peer.lookup(lookupOf("elsewhere", look)),
        peer.lookup(lookupOf("elsewhere")),
      ]);
      expect(textOf(there)).toBe("it");
      expect(there?.missing ?? false).toBe(false);
      expect(missing).toMatchObject({ value: undefined, missing: true });
      expect(absent?.value).toBeUndefined();
      expect(absent?.missing ?? false).toBe(false);
      const looks = host.lookups.filter(({ lookup }) => lookup.memoryOnly === true);
      expect(looks.map(({ lookup }) => lookup.key).sort()).toEqual(["elsewhere", "there"]);
    },
  },
  {
    name: "a retried invalidation arrives marked as a retry",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      const invalidation = { group: "g", target: { kind: "keys", keys: ["k"] }, fence: 7 } as const;
      await peer.invalidate({ ...invalidation, again: true }, options);
      await peer.invalidate(invalidation, options);
      expect(host.invalidations.map(({ again = false }) => again)).toEqual([true, false]);
    },
  },
  {
    name: "the entries of a hand-over arrive complete, and the ticket is returned",
    async run(context) {
      const { host } = nodeAt(context, 1);
      host.onTakeOver(() => Number.MAX_SAFE_INTEGER);
      const entries = [
        ...specialKeys.map(([, key]) => entryOf(key)),
        entryOf("none", { value: undefined, ttlMs: 0.5 }),
        entryOf("empty", { value: Buffer.alloc(0), ttlMs: Number.POSITIVE_INFINITY }),
        entryOf("fenced", { fence: Number.MAX_SAFE_INTEGER, tags: ["tenant:日本/7 %", "", "t"] }),
        entryOf("big", { value: Buffer.alloc(60_000, 7) }),
      ];
      const part = partOf(entries, { ticket: Number.MAX_SAFE_INTEGER - 1 });
      expect(await handOver(context, part)).toBe(Number.MAX_SAFE_INTEGER);
      const [arrived] = host.handOvers;
      expect(arrived).toMatchObject({ group: part.group, ticket: part.ticket });
      expect(comparable(arrived?.entries ?? [])).toEqual(comparable(entries));
    },
  },
  {
    name: "a first part of a hand-over, without ticket and entries, requests a ticket",
    async run(context) {
      nodeAt(context, 1).host.onTakeOver(({ ticket }) => ticket + 5);
      expect(await handOver(context, partOf([], { ticket: 0 }))).toBe(5);
    },
  },
  {
    name: "a hand-over skips entries beyond the limits and sends the others",
    needsLimits: true,
    async run(context) {
      const { maxKeyBytes, maxValueBytes } = context.limits as ContractLimits;
      const { host } = nodeAt(context, 1);
      const entries = [
        entryOf("before"),
        entryOf("k".repeat(maxKeyBytes + 1)),
        entryOf("v", { value: Buffer.alloc(maxValueBytes + 1) }),
        entryOf("after"),
      ];
      await handOver(context, partOf(entries));
      expect(host.handOvers[0]?.entries.map(({ key }) => key)).toEqual(["before", "after"]);
    },
  },
  {
    name: "a hand-over that the peer refuses rejects with the peer's error",
    async run(context) {
      const { host } = nodeAt(context, 1);
      host.onTakeOver(({ group }) => {
        const code = group === "unknown" ? "NO_SUCH_GROUP" : "CLOSED";
        throw new ParsecError(code, "not with me");
      });
      await expectRejection(handOver(context, partOf([], { group: "unknown" })), "NO_SUCH_GROUP");
      await expectRejection(
        handOver(context, partOf([entryOf("k")])),
        "CLOSED",
        "PEER_UNREACHABLE",
      );
    },
  },
];
