import { randomBytes, timingSafeEqual } from "node:crypto";
import { ReplayGuard, type Stamp } from "./replay-guard.ts";

/** Creates a new session and returns a function that stamps its messages, numbered from 1. `wallNow` returns milliseconds since 1970. */
export function createStamper(wallNow: () => number): () => Stamp {
  const session = randomBytes(8).toString("hex");
  let number = 0;
  return () => ({ signedAt: Math.floor(wallNow()), session, number: ++number });
}

/** The three checks of a receiver on a signed message. A message is authentic when all of them pass. */
export interface SignatureCheck<Key, Session extends string | number = string> {
  /** Whether the message was signed within the window, before or after this node's present time. Cheap: check it first. */
  isRecent(signedAt: number): boolean;
  /** The key that `mac` was computed with; undefined for a forgery. `macOf` computes the expected MAC for a key. */
  keyOf(mac: Uint8Array, macOf: (key: Key) => Uint8Array): Key | undefined;
  /** Whether the message arrives for the first time. Check it last, when the other checks have passed. */
  isFirst(stamp: Stamp<Session>): boolean;
}

/**
 * Creates a {@link SignatureCheck} for messages signed with any of the keys, within `windowMs`, each accepted
 * once. Keys are of the type that `macOf` takes, such as those of Node's `createSecretKey`.
 */
export function createSignatureCheck<Key, Session extends string | number = string>(options: {
  readonly keys: readonly Key[];
  readonly windowMs: number;
  readonly wallNow: () => number;
}): SignatureCheck<Key, Session> {
  const { keys, windowMs, wallNow } = options;
  const replays = new ReplayGuard<Session>({ windowMs });
  return {
    isRecent: (signedAt) => Math.abs(wallNow() - signedAt) <= windowMs,
    keyOf: (mac, macOf) => keys.find((key) => timingSafeEqual(macOf(key), mac)),
    isFirst: (stamp) => replays.accept({ ...stamp, now: wallNow() }),
  };
}
