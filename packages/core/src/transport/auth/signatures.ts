import { randomBytes, timingSafeEqual } from "node:crypto";
import { createReplayGuard } from "./replay-guard.ts";

/** What makes each signed message one of a kind. */
export interface Stamp<Session extends string | number = string> {
  /** Milliseconds since 1970 by the sender's clock. */
  readonly signedAt: number;
  /** One sender's way to one receiver. */
  readonly session: Session;
  /** Counts the messages of a session, from 1. */
  readonly number: number;
}

/** Stamps the messages of a new session, in the order of the calls. `wallNow` gives milliseconds since 1970. */
export function createStamper(wallNow: () => number): () => Stamp {
  const session = randomBytes(8).toString("hex");
  let number = 0;
  return () => ({ signedAt: Math.floor(wallNow()), session, number: ++number });
}

/** The three questions a receiver asks of a signed message, each false for a forgery of its kind. */
export interface SignatureCheck<Key, Session extends string | number = string> {
  /** Whether it was signed within the window, by either clock. Cheap: ask it first. */
  isRecent(signedAt: number): boolean;
  /** The key whose MAC, as `macOf` computes it, is the given one; undefined when no key's is. */
  keyOf(mac: Uint8Array, macOf: (key: Key) => Uint8Array): Key | undefined;
  /** Whether this message is seen for the first time. Ask only when the other two hold. */
  isFirst(stamp: Stamp<Session>): boolean;
}

/**
 * Accepts what was signed with any of the keys, not longer ago than `windowMs`, and only once. Keys are
 * whatever `macOf` takes, such as those of Node's `createSecretKey`.
 */
export function createSignatureCheck<Key, Session extends string | number = string>(options: {
  readonly keys: readonly Key[];
  readonly windowMs: number;
  readonly wallNow: () => number;
}): SignatureCheck<Key, Session> {
  const { keys, windowMs, wallNow } = options;
  const replays = createReplayGuard<Session>({ windowMs });
  return {
    isRecent: (signedAt) => Math.abs(wallNow() - signedAt) <= windowMs,
    keyOf: (mac, macOf) => keys.find((key) => timingSafeEqual(macOf(key), mac)),
    isFirst: (stamp) => replays.accept({ ...stamp, now: wallNow() }),
  };
}
