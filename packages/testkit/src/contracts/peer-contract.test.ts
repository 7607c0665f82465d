import {
  isParsecError,
  ParsecError,
  type Peer,
  type PeerAnswer,
  type PeerPicker,
} from "@parsec/core";
import { describe, expect, it } from "vitest";
import { createMemoryNetwork } from "../memory-transport/memory-transport.ts";
import type { ContractCluster } from "./contract-case.ts";
import { describePeerContract, peerContractCases, runContractCase } from "./peer-contract.ts";

/*
 * The suite is worth what it catches: each transport here breaks one promise, and the case that
 * asks for it must say so.
 */

const limits = { maxKeyBytes: 2000, maxValueBytes: 100_000 };
const ids = ["a", "b", "c"];
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

type Breakage = (peer: Peer, picker: PeerPicker) => Partial<Peer>;

function setupWith(breakage: Breakage, breakPicker: (picker: PeerPicker) => Partial<PeerPicker>) {
  return async (): Promise<ContractCluster> => {
    const network = createMemoryNetwork(limits);
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
        selfId: picker.selfId,
        peers: () => picker.peers().map(wrap),
        pick(key, without) {
          const owner = picker.pick(key, without);
          return owner && wrap(owner);
        },
        updatePeers: (members) => picker.updatePeers(members),
        attach: (host) => picker.attach(host),
        close: () => picker.close(),
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

const asItIs: Breakage = () => ({});

interface BrokenTransport {
  readonly fault: string;
  readonly caughtBy: string;
  readonly breakage?: Breakage;
  readonly breakPicker?: (picker: PeerPicker) => Partial<PeerPicker>;
}

const transports: readonly BrokenTransport[] = [
  {
    fault: "turns absent into empty",
    caughtBy: "absent, empty and present are told apart",
    breakage: changing(({ value }) => ({ value: value ?? new Uint8Array(0) })),
  },
  {
    fault: "truncates values at 64 KiB",
    caughtBy: "a big value travels unharmed",
    breakage: changing(({ value }) => ({ value: value?.subarray(0, 65_536) })),
  },
  {
    fault: "keeps 32 bits of the fence",
    caughtBy: "the fence travels both ways, all 53 bits of it",
    breakage: changing(({ fence }) => ({ fence: fence >>> 0 })),
  },
  {
    fault: "sends Infinity as JSON does",
    caughtBy: "the remaining time to live travels, 0 and Infinity included",
    breakage: changing(({ ttlMs }) => ({ ttlMs: Number.isFinite(ttlMs) ? ttlMs : 0 })),
  },
  {
    fault: "sends seconds for milliseconds",
    caughtBy: "the remaining time to live travels, 0 and Infinity included",
    breakage: changing(({ ttlMs }) => ({ ttlMs: ttlMs / 1000 })),
  },
  {
    fault: "forgets the rate",
    caughtBy: "the rate of requests travels",
    breakage: changing(() => ({ ratePerMinute: 0 })),
  },
  {
    fault: "does not say that it is only a look into memory",
    caughtBy: "a look into memory arrives as one, and that nothing is there travels back",
    breakage: (peer) => ({
      lookup: ({ memoryOnly: _, ...lookup }, options) => peer.lookup(lookup, options),
    }),
  },
  {
    fault: "turns 'nothing in memory' into 'there is none'",
    caughtBy: "a look into memory arrives as one, and that nothing is there travels back",
    breakage: changing(() => ({ missing: false })),
  },
  {
    fault: "forgets that an invalidation is a repetition",
    caughtBy: "a repeated invalidation arrives as one",
    breakage: (peer) => ({
      invalidate: ({ again: _, ...invalidation }, options) =>
        peer.invalidate(invalidation, options),
    }),
  },
  {
    fault: "has one trace for all that shares a frame",
    caughtBy: "the trace of a lookup arrives with it, and with no other",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup({ ...lookup, trace: { traceparent, tracestate: undefined } }, options),
    }),
  },
  {
    fault: "fails for a trace that makes no header",
    caughtBy: "a trace that is none is left out, and the lookup is answered",
    breakage: (peer) => ({
      async lookup(lookup, options) {
        new Headers(lookup.trace && { traceparent: lookup.trace.traceparent });
        return await peer.lookup(lookup, options);
      },
    }),
  },
  {
    fault: "forgets the trace of an invalidation",
    caughtBy: "the trace of an invalidation arrives with it, unless it is none",
    breakage: (peer) => ({
      invalidate: ({ trace: _, ...invalidation }, options) =>
        peer.invalidate(invalidation, options),
    }),
  },
  {
    fault: "loses the tags of what is handed over",
    caughtBy: "what a leaving node hands over arrives whole, and the ticket comes back",
    breakage: (peer) => ({
      handOver: async (part, options) => {
        const entries = part.entries.map((entry) => ({ ...entry, tags: [] }));
        return (await peer.handOver?.({ ...part, entries }, options)) ?? 0;
      },
    }),
  },
  {
    fault: "loses the ticket",
    caughtBy: "a first part without a ticket or entries asks for a ticket",
    breakage: (peer) => ({
      handOver: async (part, options) => {
        await peer.handOver?.(part, options);
        return 0;
      },
    }),
  },
  {
    fault: "ignores which member is to be left out",
    caughtBy: "picks the owner there would be without a member, the same on every node",
    breakPicker: (picker) => ({ pick: (key) => picker.pick(key) }),
  },
  {
    fault: "decodes a plus as a space",
    caughtBy: "a key with a plus travels",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup({ ...lookup, key: lookup.key.replaceAll("+", " ") }, options),
    }),
  },
  {
    fault: "cleans paths",
    caughtBy: "a key with two dots travels",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup({ ...lookup, key: lookup.key.replace(/^\.\.$/, "") }, options),
    }),
  },
  {
    fault: "encodes keys with TextEncoder",
    caughtBy: "a key with no UTF-8 at all travels",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup({ ...lookup, key: Buffer.from(lookup.key).toString() }, options),
    }),
  },
  {
    fault: "drops the input",
    caughtBy: "the input travels, byte for byte, and its absence too",
    breakage: (peer) => ({
      lookup: (lookup, options) => peer.lookup({ ...lookup, input: undefined }, options),
    }),
  },
  {
    fault: "retries what failed",
    caughtBy: "ORIGIN_FAILED arrives as itself, and the host was asked once (I5)",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup(lookup, options).catch(() => peer.lookup(lookup, options)),
    }),
  },
  {
    fault: "calls every error unreachable",
    caughtBy: "NO_SUCH_GROUP arrives as itself, and the host was asked once (I5)",
    breakage: (peer) => ({
      lookup: (lookup, options) =>
        peer.lookup(lookup, options).catch((cause: unknown) => {
          throw new ParsecError("PEER_UNREACHABLE", "500", { cause });
        }),
    }),
  },
  {
    fault: "passes an error on with its cause",
    caughtBy: "an error's message arrives, its cause stays with the owner",
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
    caughtBy: "200 lookups at once are answered each with its own value",
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
    fault: "acknowledges before anything is applied",
    caughtBy: "an invalidation that the host fails to apply is not acknowledged",
    breakage: (peer) => ({
      async invalidate(invalidation, options) {
        peer.invalidate(invalidation, options).catch(() => {});
      },
    }),
  },
  {
    fault: "invalidates keys only",
    caughtBy: "an invalidation of a tag has been applied when it is acknowledged",
    breakage: (peer) => ({
      async invalidate(invalidation, options) {
        if (invalidation.target.kind === "keys") await peer.invalidate(invalidation, options);
      },
    }),
  },
  {
    fault: "asks the owner instead of the peer it was told to ask",
    caughtBy: "a lookup reaches the peer it is addressed to and no other, exactly once (I6)",
    breakage: (peer, picker) => ({
      lookup: (lookup, options) => (picker.pick(lookup.key) ?? peer).lookup(lookup, options),
    }),
  },
  {
    fault: "spreads keys by the order of the list",
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
    caughtBy: "refuses a membership without itself, and keeps the one it has",
    breakPicker: (picker) => ({
      updatePeers: (next) => picker.updatePeers([picker.selfId, ...next]),
    }),
  },
  {
    fault: "never forgets a member",
    caughtBy: "updatePeers removes a member and takes it back, moving only its keys",
    breakPicker: () => ({ updatePeers: () => {} }),
  },
  {
    fault: "closes once",
    caughtBy: "closing twice, at once or later, does no harm",
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

describe("the contract notices a transport that", () => {
  for (const { fault, caughtBy, breakage = asItIs, breakPicker = () => ({}) } of transports) {
    it(fault, async () => {
      const contractCase = peerContractCases.find(({ name }) => name === caughtBy);
      expect(contractCase, caughtBy).toBeDefined();
      if (contractCase === undefined) return;
      const run = runContractCase(contractCase, {
        setup: setupWith(breakage, breakPicker),
        limits,
      });
      await expect(run).rejects.toThrow();
      // The same case passes when nothing is broken, so it is the fault it minds.
      await runContractCase(contractCase, { setup: setupWith(asItIs, () => ({})), limits });
    });
  }
});

it("names of cases are unique, since skipping goes by name", () => {
  const names = peerContractCases.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

it("refuses to skip what is no case, and a cluster too small", async () => {
  const setup = async (): Promise<ContractCluster> => ({ nodes: [], close: async () => {} });
  expect(() =>
    describePeerContract({ name: "x", setup, skip: [{ case: "no such case", reason: "" }] }),
  ).toThrow(/no such case/);
  const [first] = peerContractCases;
  if (first === undefined) throw new Error("no cases");
  await expect(runContractCase(first, { setup })).rejects.toThrow(/needs three/);
});
