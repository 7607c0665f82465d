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

/** The text that a lookup found, or the code of its error. */
async function ending(call: Promise<PeerAnswer>): Promise<string | undefined> {
  try {
    return textOf(await call);
  } catch (error) {
    return isParsecError(error) ? error.code : `a foreign error: ${String(error)}`;
  }
}

/** Requirements for closed pickers and closed peers. */
export const closingCases: readonly ContractCase[] = [
  {
    name: "calls to a closed peer reject with PEER_UNREACHABLE, calls to the others succeed",
    async run(context) {
      nodeAt(context, 2).host.onLookup(echo);
      const closedPeer = peerBetween(context, toSecond);
      // The first lookup finds a connection in the pool, the second one does not.
      await closedPeer.lookup(lookupOf("before"));
      await nodeAt(context, 1).picker.close();
      await expectRejection(closedPeer.lookup(lookupOf("after")), "PEER_UNREACHABLE");
      await expectRejection(closedPeer.lookup(lookupOf("later")), "PEER_UNREACHABLE");
      await expectRejection(
        closedPeer.invalidate(invalidationOf(["k"]), { timeoutMs: 4000 }),
        "PEER_UNREACHABLE",
      );
      const other = peerBetween(context, { from: 0, to: 2 });
      expect(textOf(await other.lookup(lookupOf("k")))).toBe(textOf(echo(lookupOf("k"))));
    },
  },
  {
    name: "a lookup in flight to a peer that closes is answered, or rejects with PEER_UNREACHABLE or CLOSED",
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
    name: "a picker can be closed twice, concurrently or later",
    async run(context) {
      const { picker } = nodeAt(context, 0);
      await Promise.all([picker.close(), picker.close()]);
      await picker.close();
    },
  },
  {
    name: "calls through a closed picker reject with CLOSED",
    async run(context) {
      const peer = peerBetween(context, toSecond);
      await nodeAt(context, 0).picker.close();
      await expectRejection(peer.lookup(lookupOf("k")), "CLOSED");
      await expectRejection(peer.invalidate(invalidationOf(["k"]), { timeoutMs: 4000 }), "CLOSED");
      expect(nodeAt(context, 1).host.lookups).toEqual([]);
    },
  },
  {
    name: "close answers this node's own lookups in flight, or rejects them with CLOSED",
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
