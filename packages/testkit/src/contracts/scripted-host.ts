import type {
  PeerAnswer,
  PeerCallOptions,
  PeerContact,
  PeerContactAnswer,
  PeerHandOver,
  PeerHost,
  PeerInvalidation,
  PeerLookup,
} from "@parsec/core";

/** Answers a lookup in place of a cache; see `ScriptedHost.onLookup`. A thrown error or a rejection goes back to the caller. */
export type LookupScript = (
  lookup: PeerLookup,
  options: PeerCallOptions,
) => PeerAnswer | Promise<PeerAnswer>;

/** A host that records every call and answers with scripts that the test sets. */
export interface ScriptedHost extends PeerHost {
  /** Every lookup that arrived, with its signal. */
  readonly lookups: readonly {
    readonly lookup: PeerLookup;
    readonly signal: AbortSignal | undefined;
  }[];
  /** Every invalidation that arrived. */
  readonly invalidations: readonly PeerInvalidation[];
  /** Every part of a hand-over that arrived. */
  readonly handOvers: readonly PeerHandOver[];
  /** Sets the answers to lookups. The default is an absent value. */
  onLookup(script: LookupScript): void;
  /** Sets the effect of invalidations; a script that throws refuses them. The default is none. */
  onInvalidate(script: (invalidation: PeerInvalidation) => void): void;
  /** Sets the ticket that answers a part of a hand-over; a script that throws refuses it. The default is 0. */
  onTakeOver(script: (part: PeerHandOver) => number): void;
  takeOver(part: PeerHandOver): number;
  /** Every heartbeat that arrived. */
  readonly contacts: readonly PeerContact[];
  /** Sets the answer to heartbeats; a script that throws refuses them. */
  onContact(script: (contact: PeerContact) => PeerContactAnswer): void;
}

/** Creates a host that tests a transport without a cache behind it: attach it to a picker. */
export function createScriptedHost(): ScriptedHost {
  const lookups: { lookup: PeerLookup; signal: AbortSignal | undefined }[] = [];
  const invalidations: PeerInvalidation[] = [];
  const handOvers: PeerHandOver[] = [];
  const contacts: PeerContact[] = [];
  let answer: LookupScript = () => ({ value: undefined, ttlMs: 0, fence: 0, ratePerMinute: 0 });
  let apply = (_invalidation: PeerInvalidation): void => {};
  let take = (_part: PeerHandOver): number => 0;
  let meet = (_contact: PeerContact): PeerContactAnswer => ({
    session: 1,
    promise: 0,
    owes: false,
  });
  return {
    contacts,
    onContact(script) {
      meet = script;
    },
    contact(contact) {
      const answer = meet(contact);
      contacts.push(contact);
      return answer;
    },
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
