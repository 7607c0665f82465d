import type {
  PeerAnswer,
  PeerCallOptions,
  PeerHandOver,
  PeerHost,
  PeerInvalidation,
  PeerLookup,
} from "@parsec/core";

/** How a scripted host answers a lookup. */
export type LookupScript = (
  lookup: PeerLookup,
  options: PeerCallOptions,
) => PeerAnswer | Promise<PeerAnswer>;

/** A host that writes down what it is asked and answers as the test says. */
export interface ScriptedHost extends PeerHost {
  /** Every lookup that arrived, with the signal that came along. */
  readonly lookups: readonly {
    readonly lookup: PeerLookup;
    readonly signal: AbortSignal | undefined;
  }[];
  /** Every invalidation that arrived. */
  readonly invalidations: readonly PeerInvalidation[];
  /** Every part of a hand-over that arrived. */
  readonly handOvers: readonly PeerHandOver[];
  /** Changes how lookups are answered. At first they find nothing. */
  onLookup(script: LookupScript): void;
  /** Changes what an invalidation does; throw to refuse it. At first it does nothing. */
  onInvalidate(script: (invalidation: PeerInvalidation) => void): void;
  /** Changes which ticket a part of a hand-over is answered with; throw to refuse it. At first it is 0. */
  onTakeOver(script: (part: PeerHandOver) => number): void;
  takeOver(part: PeerHandOver): number;
}

/** A host for testing a transport without a cache behind it. */
export function createScriptedHost(): ScriptedHost {
  const lookups: { lookup: PeerLookup; signal: AbortSignal | undefined }[] = [];
  const invalidations: PeerInvalidation[] = [];
  const handOvers: PeerHandOver[] = [];
  let answer: LookupScript = () => ({ value: undefined, ttlMs: 0, fence: 0, ratePerMinute: 0 });
  let apply = (_invalidation: PeerInvalidation): void => {};
  let take = (_part: PeerHandOver): number => 0;
  return {
    lookups,
    invalidations,
    handOvers,
    onLookup(script) {
      answer = script;
    },
    onInvalidate(script) {
      apply = script;
    },
    onTakeOver(script) {
      take = script;
    },
    lookup(lookup, options = {}) {
      // A transport may reuse its buffers after the call.
      const input = lookup.input && new Uint8Array(lookup.input);
      lookups.push({ lookup: { ...lookup, input }, signal: options.signal });
      return answer(lookup, options);
    },
    invalidate(invalidation) {
      apply(invalidation);
      invalidations.push(invalidation);
    },
    takeOver(part) {
      const ticket = take(part);
      const entries = part.entries.map((entry) => ({
        ...entry,
        value: entry.value && new Uint8Array(entry.value),
      }));
      handOvers.push({ ...part, entries });
      return ticket;
    },
  };
}
