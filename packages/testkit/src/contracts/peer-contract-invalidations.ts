import { ParsecError, type PeerInvalidationTarget } from "@parsec/core";
import { expect } from "vitest";
import {
  type ContractCase,
  expectRejection,
  invalidationOf,
  nodeAt,
  peerBetween,
} from "./contract-case.ts";
import { specialKeys } from "./contract-keys.ts";

const toSecond: { from: number; to: number } = { from: 0, to: 1 };
const options: { timeoutMs: number } = { timeoutMs: 4000 };

const targets: readonly (readonly [name: string, target: PeerInvalidationTarget])[] = [
  ["one key", { kind: "keys", keys: ["alice"] }],
  ["many keys with special characters", { kind: "keys", keys: specialKeys.map(([, key]) => key) }],
  ["a thousand keys", { kind: "keys", keys: Array.from({ length: 1000 }, (_, i) => `user:${i}`) }],
  ["a tag", { kind: "tag", tag: "tenant:日本/7 %" }],
  ["the whole group", { kind: "all" }],
];

/** Delivery and acknowledgement of invalidations. */
export const invalidationCases: readonly ContractCase[] = [
  ...targets.map(
    ([name, target]): ContractCase => ({
      name: `an invalidation of ${name} is applied before it is acknowledged`,
      async run(context) {
        const { host } = nodeAt(context, 1);
        const invalidation = invalidationOf([], { target, fence: Number.MAX_SAFE_INTEGER });
        await peerBetween(context, toSecond).invalidate(invalidation, options);
        expect(host.invalidations).toEqual([invalidation]);
        expect(nodeAt(context, 2).host.invalidations).toEqual([]);
      },
    }),
  ),
  {
    name: "an invalidation that other nodes missed arrives with their ids, for the receiver to retry",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const owedTo = ["http://10.0.0.7:8080", "node-日本"];
      const missed = invalidationOf(["k"], { owedTo, again: true });
      await peerBetween(context, toSecond).invalidate(missed, options);
      expect(host.invalidations).toEqual([missed]);
      host.onInvalidate(() => {
        throw new ParsecError("CLOSED", "leaving");
      });
      await expectRejection(peerBetween(context, toSecond).invalidate(missed, options), "CLOSED");
    },
  },
  {
    name: "a contact arrives with its session, and its answer comes back",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      // Transports that keep the members by themselves need none.
      if (peer.contact === undefined) return;
      const session = 2 ** 48 - 1;
      for (const owes of [false, true]) {
        host.onContact(() => ({ session: 5, promise: session, owes }));
        const contact = { peerId: "node-日本", session, isLeaving: owes };
        expect(await peer.contact(contact, options)).toEqual({
          session: 5,
          promise: session,
          owes,
        });
        expect(host.contacts.at(-1)).toEqual(contact);
      }
      host.onContact(() => {
        throw new ParsecError("CLOSED", "leaving");
      });
      const contact = { peerId: "a", session: 0, isLeaving: false };
      await expectRejection(peer.contact(contact, options), "CLOSED");
      expect(host.invalidations).toEqual([]);
    },
  },
  {
    name: "an invalidation of an unknown group rejects with NO_SUCH_GROUP",
    async run(context) {
      const { host } = nodeAt(context, 1);
      host.onInvalidate(({ group }) => {
        if (group === "unknown") throw new ParsecError("NO_SUCH_GROUP", "no such group here");
      });
      const peer = peerBetween(context, toSecond);
      const unknown = invalidationOf(["k"], { group: "unknown" });
      await expectRejection(peer.invalidate(unknown, options), "NO_SUCH_GROUP");
      await peer.invalidate(invalidationOf(["k"]), options);
      expect(host.invalidations).toHaveLength(1);
    },
  },
  {
    name: "an invalidation that the host fails to apply is not acknowledged",
    async run(context) {
      nodeAt(context, 1).host.onInvalidate(() => {
        throw new RangeError("a bug in the host");
      });
      await expectRejection(
        peerBetween(context, toSecond).invalidate(invalidationOf(["k"]), options),
        "PEER_UNREACHABLE",
        "ORIGIN_FAILED",
      );
    },
  },
  {
    name: "each of 100 concurrent invalidations is acknowledged after it was applied",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          await peer.invalidate(invalidationOf([`k${index}`], { fence: index + 1 }), options);
          expect(host.invalidations.map(({ fence }) => fence)).toContain(index + 1);
        }),
      );
      expect(host.invalidations).toHaveLength(100);
    },
  },
  {
    name: "an invalidation whose signal is already aborted rejects with ABORTED",
    async run(context) {
      const call = peerBetween(context, toSecond).invalidate(invalidationOf(["k"]), {
        ...options,
        signal: AbortSignal.abort(),
      });
      await expectRejection(call, "ABORTED");
    },
  },
];
