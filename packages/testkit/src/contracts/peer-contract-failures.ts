import { ParsecError, type ParsecErrorCode } from "@parsec/core";
import { expect } from "vitest";
import {
  answerOf,
  type ContractCase,
  echo,
  expectRejection,
  lookupOf,
  nodeAt,
  peerBetween,
  textOf,
  until,
} from "./contract-case.ts";

const toSecond: { from: number; to: number } = { from: 0, to: 1 };

/** Codes of errors that an owner may answer with. */
const ownersErrors: readonly ParsecErrorCode[] = [
  "ORIGIN_FAILED",
  "NO_SUCH_GROUP",
  "TIMEOUT",
  "KEY_TOO_LARGE",
  "VALUE_TOO_LARGE",
  "CODEC_FAILED",
  "INVALID_KEY",
  "OVERLOADED",
];

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Concurrent, slow, aborted and failed lookups. */
export const failureCases: readonly ContractCase[] = [
  {
    name: "200 concurrent lookups each get their own answer",
    async run(context) {
      for (const { host } of context.nodes) {
        host.onLookup(async (lookup) => {
          const index = Number(lookup.key.split(" ")[1]);
          // Answers are out of order: some immediate, some after several turns of the event loop.
          if (index % 3 > 0) await new Promise((resolve) => setTimeout(resolve, (index * 7) % 11));
          if (index % 10 === 9)
            throw new ParsecError("ORIGIN_FAILED", `${lookup.key} cannot be loaded`);
          return echo(lookup);
        });
      }
      const peers = [peerBetween(context, toSecond), peerBetween(context, { from: 0, to: 2 })];
      const keys = Array.from({ length: 200 }, (_, index) => `key ${index}`);
      const outcomes = await Promise.allSettled(
        keys.map((key, index) => peers[index % 2]?.lookup(lookupOf(key))),
      );
      for (const [index, outcome] of outcomes.entries()) {
        const key = keys[index] as string;
        if (index % 10 === 9) {
          expect(outcome).toMatchObject({ status: "rejected", reason: { code: "ORIGIN_FAILED" } });
        } else {
          const answer = outcome.status === "fulfilled" ? outcome.value : undefined;
          expect(answer && textOf(answer), key).toBe(textOf(echo(lookupOf(key))));
        }
      }
    },
  },
  {
    name: "a slow lookup does not delay fast ones sent with it or after it",
    async run(context) {
      const { host } = nodeAt(context, 1);
      let release = (): void => {};
      host.onLookup((lookup) => {
        if (lookup.key !== "slow") return echo(lookup);
        return new Promise((resolve) => {
          release = () => resolve(echo(lookup));
        });
      });
      const peer = peerBetween(context, toSecond);
      const slow = peer.lookup(lookupOf("slow"));
      const together = peer.lookup(lookupOf("together"));
      expect(textOf(await together)).toBe(textOf(echo(lookupOf("together"))));
      expect(textOf(await peer.lookup(lookupOf("after")))).toBe(textOf(echo(lookupOf("after"))));
      release();
      expect(textOf(await slow)).toBe(textOf(echo(lookupOf("slow"))));
    },
  },
  ...ownersErrors.flatMap((code): ContractCase[] => [
    {
      name: `an error with the code ${code} arrives with that code after one call of the host (I5)`,
      async run(context) {
        const { host } = nodeAt(context, 1);
        const peer = peerBetween(context, toSecond);
        host.onLookup(() => {
          throw new ParsecError(code, `thrown for the test`);
        });
        await expectRejection(peer.lookup(lookupOf("thrown")), code);
        host.onLookup(() => Promise.reject(new ParsecError(code, `rejected for the test`)));
        await expectRejection(peer.lookup(lookupOf("rejected")), code);
        expect(host.lookups.map(({ lookup }) => lookup.key)).toEqual(["thrown", "rejected"]);
        host.onLookup(echo);
        expect(textOf(await peer.lookup(lookupOf("k")))).toBe(textOf(echo(lookupOf("k"))));
      },
    },
  ]),
  {
    name: "an error's message is sent to the peer, its cause is not",
    async run(context) {
      nodeAt(context, 1).host.onLookup(() => {
        throw new ParsecError("ORIGIN_FAILED", "the table is locked", {
          cause: new Error("password=hunter2"),
        });
      });
      const call = peerBetween(context, toSecond).lookup(lookupOf("k"));
      const error: unknown = await call.catch((reason: unknown) => reason);
      expect(error).toMatchObject({ message: expect.stringContaining("the table is locked") });
      expect(String((error as Error).cause ?? "")).not.toContain("hunter2");
    },
  },
  {
    name: "a foreign error that the host throws rejects that call only",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      host.onLookup((lookup) => {
        if (lookup.key === "bad") throw new RangeError("a bug in the host");
        return echo(lookup);
      });
      const good = peer.lookup(lookupOf("good"));
      await expectRejection(peer.lookup(lookupOf("bad")), "PEER_UNREACHABLE", "ORIGIN_FAILED");
      expect(textOf(await good)).toBe(textOf(echo(lookupOf("good"))));
    },
  },
  {
    name: "an unanswered lookup rejects with TIMEOUT at its own deadline",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const patience = new AbortController();
      host.onLookup((lookup) => {
        if (lookup.key !== "patient") return never();
        return new Promise((resolve) => {
          const answer = (): void => resolve(echo(lookup));
          // On a busy machine the other lookup may end before this one arrives.
          if (patience.signal.aborted) answer();
          else patience.signal.addEventListener("abort", answer);
        });
      });
      const peer = peerBetween(context, toSecond);
      const hasty = peer.lookup(lookupOf("hasty", { timeoutMs: 60 }));
      const patient = peer.lookup(lookupOf("patient"));
      await expectRejection(hasty, "TIMEOUT");
      patience.abort();
      expect(textOf(await patient)).toBe(textOf(echo(lookupOf("patient"))));
    },
  },
  {
    name: "an abort rejects its own lookup with ABORTED, and no other lookup",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const answers: (() => void)[] = [];
      host.onLookup(
        (lookup) => new Promise((resolve) => answers.push(() => resolve(echo(lookup)))),
      );
      const peer = peerBetween(context, toSecond);
      const controller = new AbortController();
      const aborted = peer.lookup(lookupOf("aborted"), { signal: controller.signal });
      const other = peer.lookup(lookupOf("other"));
      await until(() => host.lookups.length === 2);
      controller.abort();
      await expectRejection(aborted, "ABORTED");
      for (const answer of answers) answer();
      expect(textOf(await other)).toBe(textOf(echo(lookupOf("other"))));
    },
  },
  {
    name: "a lookup whose signal is already aborted rejects with ABORTED at once",
    async run(context) {
      nodeAt(context, 1).host.onLookup(never);
      const signal = AbortSignal.abort();
      await expectRejection(
        peerBetween(context, toSecond).lookup(lookupOf("k"), { signal }),
        "ABORTED",
      );
    },
  },
  {
    name: "the host's signal is aborted when the caller of a single lookup aborts",
    async run(context) {
      const { host } = nodeAt(context, 1);
      host.onLookup(never);
      const controller = new AbortController();
      const { signal } = controller;
      const call = peerBetween(context, toSecond).lookup(lookupOf("k"), { signal });
      const rejected = expectRejection(call, "ABORTED");
      await until(() => host.lookups.length === 1);
      expect(host.lookups[0]?.signal?.aborted).toBe(false);
      controller.abort();
      await rejected;
      await until(() => host.lookups[0]?.signal?.aborted === true);
    },
  },
  {
    name: "an abort after the answer has no effect",
    async run(context) {
      nodeAt(context, 1).host.onLookup(() => answerOf("done"));
      const controller = new AbortController();
      const { signal } = controller;
      const answer = await peerBetween(context, toSecond).lookup(lookupOf("k"), { signal });
      controller.abort();
      expect(textOf(answer)).toBe("done");
    },
  },
];
