import { isParsecError, type PeerAnswer } from "@parsec/core";
import { expect } from "vitest";
import {
  type ContractCase,
  echo,
  expectRejection,
  invalidationOf,
  lookupOf,
  nodeAt,
  peerBetween,
  textOf,
  until,
} from "./contract-case.ts";

const toSecond: { from: number; to: number } = { from: 0, to: 1 };

/** A finished lookup, or the code with which it ended. */
async function ending(call: Promise<PeerAnswer>): Promise<string | undefined> {
  try {
    return textOf(await call);
  } catch (error) {
    return isParsecError(error) ? error.code : `a foreign error: ${String(error)}`;
  }
}

/** What happens when nodes go away. */
export const closingCases: readonly ContractCase[] = [
  {
    name: "a peer that is gone is PEER_UNREACHABLE, the others are not",
    async run(context) {
      nodeAt(context, 2).host.onLookup(echo);
      const gone = peerBetween(context, toSecond);
      // Once with the connection still in the pool, once more without.
      await gone.lookup(lookupOf("before"));
      await nodeAt(context, 1).picker.close();
      await expectRejection(gone.lookup(lookupOf("after")), "PEER_UNREACHABLE");
      await expectRejection(gone.lookup(lookupOf("later")), "PEER_UNREACHABLE");
      await expectRejection(
        gone.invalidate(invalidationOf(["k"]), { timeoutMs: 4000 }),
        "PEER_UNREACHABLE",
      );
      const other = peerBetween(context, { from: 0, to: 2 });
      expect(textOf(await other.lookup(lookupOf("k")))).toBe(textOf(echo(lookupOf("k"))));
    },
  },
  {
    name: "a lookup under way to a peer that goes away is answered or fails as unreachable",
    async run(context) {
      const { host, picker } = nodeAt(context, 1);
      let release = (): void => {};
      host.onLookup(
        (lookup) =>
          new Promise((resolve) => {
            release = () => resolve(echo(lookup));
          }),
      );
      const outcome = ending(peerBetween(context, toSecond).lookup(lookupOf("slow")));
      await until(() => host.lookups.length === 1);
      const closing = picker.close();
      release();
      await closing;
      expect([textOf(echo(lookupOf("slow"))), "PEER_UNREACHABLE", "CLOSED"]).toContain(
        await outcome,
      );
    },
  },
  {
    name: "closing twice, at once or later, does no harm",
    async run(context) {
      const { picker } = nodeAt(context, 0);
      await Promise.all([picker.close(), picker.close()]);
      await picker.close();
    },
  },
  {
    name: "a closed picker rejects with CLOSED",
    async run(context) {
      const peer = peerBetween(context, toSecond);
      await nodeAt(context, 0).picker.close();
      await expectRejection(peer.lookup(lookupOf("k")), "CLOSED");
      await expectRejection(peer.invalidate(invalidationOf(["k"]), { timeoutMs: 4000 }), "CLOSED");
      expect(nodeAt(context, 1).host.lookups).toEqual([]);
    },
  },
  {
    name: "closing finishes the asker's own lookups under way or rejects them with CLOSED",
    async run(context) {
      const { host } = nodeAt(context, 1);
      let release = (): void => {};
      host.onLookup(
        (lookup) =>
          new Promise((resolve) => {
            release = () => resolve(echo(lookup));
          }),
      );
      const outcome = ending(peerBetween(context, toSecond).lookup(lookupOf("slow")));
      await until(() => host.lookups.length === 1);
      const closing = nodeAt(context, 0).picker.close();
      release();
      await closing;
      expect([textOf(echo(lookupOf("slow"))), "CLOSED"]).toContain(await outcome);
    },
  },
];
