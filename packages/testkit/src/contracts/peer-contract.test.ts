import {
  isParsecError,
  ParsecError,
  type Peer,
  type PeerAnswer,
  type PeerPicker,
} from "@parsec/core";
import { describe, expect, it } from "vitest";
import { createMemoryNetwork } from "../memory-transport/memory-transport.ts";
import { createPlacementMemory } from "../memory-transport/placement-memory.ts";
import { createWrappedPicker } from "../wrapped-picker.ts";
import type { ContractCluster } from "./contract-case.ts";
import { describePeerContract, peerContractCases, runContractCase } from "./peer-contract.ts";

/*
 * Each transport here violates one requirement. The case that is named for it must fail.
 */

const limits = { maxKeyBytes: 2000, maxValueBytes: 100_000 };
// All clusters have the same members, so that their placement is computed once.
const place = createPlacementMemory();
const ids = ["a", "b", "c"];
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

type Breakage = (peer: Peer, picker: PeerPicker) => Partial<Peer>;

function setupWith(breakage: Breakage, breakPicker: (picker: PeerPicker) => Partial<PeerPicker>) {
  return async (): Promise<ContractCluster> => {
    const network = createMemoryNetwork({ ...limits, place });
    const pickers = ids.map((selfId) => network.createPeers({ selfId, ids }));
    const broken = pickers.map((picker): PeerPicker => {
      const wrap = (peer: Peer): Peer => {
        const plain: Peer = {
          id: peer.id,
          lookup: (lookup, options) => peer.lookup(lookup, options),
          invalidate: (invalidation, options) => peer.invalidate(invalidation, options),
          handOver: async (part, options) => (await peer.handOver?.(part, options)) ?? 0,
        };
        return { ...plain, ...breakage(peer, picker) };
      };
      return {
        ...createWrappedPicker(picker, wrap),
        ...breakPicker(picker),
      };
    });
    return {
      nodes: broken.map((picker) => ({ picker })),
      async close() {
        await Promise.all(pickers.map((picker) => picker.close()));
      },
    };
  };
}

function changing(change: (answer: PeerAnswer) => Partial<PeerAnswer>): Breakage {
  return (peer) => ({
    async lookup(lookup, options) {
      const answer = await peer.lookup(lookup, options);
      return { ...answer, ...change(answer) };
    },
  });
}

const unbroken: Breakage = () => ({});

interface BrokenTransport {
  readonly fault: string;
  readonly caughtBy: string;
  readonly breakage?: Breakage;
  readonly breakPicker?: (picker: PeerPicker) => Partial<PeerPicker>;
}

const transports: readonly BrokenTransport[] = [
  {
    fault: "returns an empty value for an absent one",
    caughtBy: "absent, empty and present values are distinguished",
    breakage: changing(({ value }) => ({ value: value ?? new Uint8Array(0) })),
  },
  {
    fault: "truncates values at 64 KiB",
    caughtBy: "a large value arrives unchanged",
    breakage: changing(({ value }) => ({ value: value?.subarray(0, 65_536) })),
  },
  {
    fault: "keeps 32 bits of the fence",
    caughtBy: "the fence arrives in both directions with all its 53 bits",
    breakage: changing(({ fence }) => ({ fence: fence >>> 0 })),
  },
  {
    fault: "sends Infinity as JSON, where it becomes null",
    caughtBy: "the remaining ttl arrives, 0 and Infinity included",
    breakage: changing(({ ttlMs }) => ({ ttlMs: Number.isFinite(ttlMs) ? ttlMs : 0 })),
  },
  {
    fault: "sends seconds in place of milliseconds",
    caughtBy: "the remaining ttl arrives, 0 and Infinity included",
    breakage: changing(({ ttlMs }) => ({ ttlMs: ttlMs / 1000 })),
  },
  {
    fault: "drops the request rate",
    caughtBy: "the request rate arrives with the answer",
    breakage: changing(() => ({ ratePerMinute: 0 })),
  },
  {
    fault: "drops the memory-only flag of a lookup",
    caughtBy: "a memory-only lookup arrives as such, and a missing entry is answered as missing",
    breakage: (peer) => ({
      lookup: ({ memoryOnly: _, ...lookup }, options) => peer.lookup(lookup, options),
    }),
  },
  {
    fault: "answers 'absent' when the entry is missing in memory",
    caughtBy: "a memory-only lookup arrives as such, and a missing entry is answered as missing",
    breakage: changing(() => ({ missing: false })),
  },
  {
    fault: "drops the retry flag of an invalidation",
    caughtBy: "a retried invalidation arrives marked as a retry",
    breakage: (peer) => ({
      invalidate: ({ again: _, ...invalidation }, options) =>
        peer.invalidate(invalidation, options),
    }),
  },
  {
    fault: "sends one trace context for all lookups of a frame",
    caughtBy: "the trace context of a lookup arrives with that lookup only",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup({ ...lookup, trace: { traceparent, tracestate: undefined } }, options),
    }),
  },
  {
    fault: "fails for a trace context that cannot be a header",
    caughtBy: "an invalid trace context is dropped, and the lookup is answered",
    breakage: (peer) => ({
      async lookup(lookup, options) {
        new Headers(lookup.trace && { traceparent: lookup.trace.traceparent });
        return await peer.lookup(lookup, options);
      },
    }),
  },
  {
    fault: "drops the trace context of an invalidation",
    caughtBy: "the trace context of an invalidation arrives with it, unless it is invalid",
    breakage: (peer) => ({
      invalidate: ({ trace: _, ...invalidation }, options) =>
        peer.invalidate(invalidation, options),
    }),
  },
  {
    fault: "drops the tags of a hand-over",
    caughtBy: "the entries of a hand-over arrive complete, and the ticket is returned",
    breakage: (peer) => ({
      handOver: async (part, options) => {
        const entries = part.entries.map((entry) => ({ ...entry, tags: [] }));
        return (await peer.handOver?.({ ...part, entries }, options)) ?? 0;
      },
    }),
  },
  {
    fault: "drops the ticket of a hand-over",
    caughtBy: "a first part of a hand-over, without ticket and entries, requests a ticket",
    breakage: (peer) => ({
      handOver: async (part, options) => {
        await peer.handOver?.(part, options);
        return 0;
      },
    }),
  },
  {
    fault: "ignores the member that pick must leave out",
    caughtBy:
      "picks the owner that a key would have without a given member, the same on every node",
    breakPicker: (picker) => ({ pick: (key) => picker.pick(key) }),
  },
  {
    fault: "decodes a plus as a space",
    caughtBy: "a key with a plus arrives unchanged",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup({ ...lookup, key: lookup.key.replaceAll("+", " ") }, options),
    }),
  },
  {
    fault: "normalizes paths",
    caughtBy: "a key with two dots arrives unchanged",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup({ ...lookup, key: lookup.key.replace(/^\.\.$/, "") }, options),
    }),
  },
  {
    fault: "encodes keys with TextEncoder",
    caughtBy: "a key with bytes that are not UTF-8 arrives unchanged",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup({ ...lookup, key: Buffer.from(lookup.key).toString() }, options),
    }),
  },
  {
    fault: "drops the input",
    caughtBy: "the input arrives byte for byte, and a missing input as missing",
    breakage: (peer) => ({
      lookup: (lookup, options) => peer.lookup({ ...lookup, input: undefined }, options),
    }),
  },
  {
    fault: "retries failed lookups",
    caughtBy:
      "an error with the code ORIGIN_FAILED arrives with that code after one call of the host (I5)",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup(lookup, options).catch(() => peer.lookup(lookup, options)),
    }),
  },
  {
    fault: "reports every error as PEER_UNREACHABLE",
    caughtBy:
      "an error with the code NO_SUCH_GROUP arrives with that code after one call of the host (I5)",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup(lookup, options).catch((cause: unknown) => {
          throw new ParsecError("PEER_UNREACHABLE", "500", { cause });
        }),
    }),
  },
  {
    fault: "sends the cause of an error",
    caughtBy: "an error's message is sent to the peer, its cause is not",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup(lookup, options).catch((error: unknown) => {
          const code = isParsecError(error) ? error.code : "ORIGIN_FAILED";
          throw new ParsecError(code, "the table is locked", { cause: "password=hunter2" });
        }),
    }),
  },
  {
    fault: "matches answers to lookups by their order",
    caughtBy: "200 concurrent lookups each get their own answer",
    breakage: (peer) => {
      const waiting: ((answer: PeerAnswer) => void)[] = [];
      return {
        lookup(lookup, options) {
          peer.lookup(lookup, options).then(
            (answer) => waiting.shift()?.(answer),
            () => waiting.shift()?.({ value: undefined, ttlMs: 0, fence: 0, ratePerMinute: 0 }),
          );
          return new Promise((resolve) => waiting.push(resolve));
        },
      };
    },
  },
  {
    fault: "acknowledges an invalidation before it is applied",
    caughtBy: "an invalidation that the host fails to apply is not acknowledged",
    breakage: (peer) => ({
      async invalidate(invalidation, options) {
        peer.invalidate(invalidation, options).catch(() => {});
      },
    }),
  },
  {
    fault: "invalidates keys only",
    caughtBy: "an invalidation of a tag is applied before it is acknowledged",
    breakage: (peer) => ({
      async invalidate(invalidation, options) {
        if (invalidation.target.kind === "keys") await peer.invalidate(invalidation, options);
      },
    }),
  },
  {
    fault: "sends a lookup to the owner in place of the given peer",
    caughtBy: "a lookup reaches its peer exactly once, and no other peer (I6)",
    breakage: (peer, picker) => ({
      lookup: (lookup, options) => (picker.pick(lookup.key) ?? peer).lookup(lookup, options),
    }),
  },
  {
    fault: "places keys by the order of the members",
    caughtBy: "the order in which members are listed is irrelevant",
    breakPicker(picker) {
      let members: readonly string[] = [picker.selfId, ...picker.peers().map((peer) => peer.id)];
      return {
        updatePeers(next) {
          members = next;
          picker.updatePeers(next);
        },
        pick(key) {
          const id = members[key.length % members.length];
          return picker.peers().find((peer) => peer.id === id);
        },
      };
    },
  },
  {
    fault: "accepts a membership without itself",
    caughtBy: "rejects a membership without itself, and keeps the current one",
    breakPicker: (picker) => ({
      updatePeers: (next) => picker.updatePeers([picker.selfId, ...next]),
    }),
  },
  {
    fault: "ignores updatePeers",
    caughtBy: "updatePeers removes a member and takes it back, moving only its keys",
    breakPicker: () => ({ updatePeers: () => {} }),
  },
  {
    fault: "fails when it is closed twice",
    caughtBy: "a picker can be closed twice, concurrently or later",
    breakPicker(picker) {
      let closed = false;
      return {
        async close() {
          if (closed) throw new Error("already closed");
          closed = true;
          await picker.close();
        },
      };
    },
  },
];

describe("the peer contract fails for a transport that", () => {
  for (const { fault, caughtBy, breakage = unbroken, breakPicker = () => ({}) } of transports) {
    it(fault, async () => {
      const contractCase = peerContractCases.find(({ name }) => name === caughtBy);
      expect(contractCase, caughtBy).toBeDefined();
      if (contractCase === undefined) return;
      const run = runContractCase(contractCase, {
        setup: setupWith(breakage, breakPicker),
        limits,
      });
      await expect(run).rejects.toThrow();
      // The same case passes without the fault, so the fault is the reason.
      await runContractCase(contractCase, { setup: setupWith(unbroken, () => ({})), limits });
    });
  }
});

it("titles of cases are unique, because skip refers to them", () => {
  const names = peerContractCases.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

it("rejects an unknown title in skip, and a cluster of fewer than three nodes", async () => {
  const setup = async (): Promise<ContractCluster> => ({ nodes: [], close: async () => {} });
  expect(() =>
    describePeerContract({ name: "x", setup, skip: [{ case: "no such case", reason: "" }] }),
  ).toThrow(/no such case/);
  const [first] = peerContractCases;
  if (first === undefined) throw new Error("no cases");
  await expect(runContractCase(first, { setup })).rejects.toThrow(/at least 3 nodes/);
});
