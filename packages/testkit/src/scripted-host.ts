import type {
  PeerAnswer,
  PeerCallOptions,
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
  /** Changes how lookups are answered. At first they find nothing. */
  onLookup(script: LookupScript): void;
  /** Changes what an invalidation does; throw to refuse it. At first it does nothing. */
  onInvalidate(script: (invalidation: PeerInvalidation) => void): void;
}

/** A host for testing a transport without a cache behind it. */
export function createScriptedHost(): ScriptedHost {
  const lookups: { lookup: PeerLookup; signal: AbortSignal | undefined }[] = [];
  const invalidations: PeerInvalidation[] = [];
  let answer: LookupScript = () => ({ value: undefined, ttlMs: 0, fence: 0, ratePerMinute: 0 });
  let apply = (_invalidation: PeerInvalidation): void => {};
  return {
    lookups,
    invalidations,
    onLookup(script) {
      answer = script;
    },
    onInvalidate(script) {
      apply = script;
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
  };
}
