import { createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from "node:crypto";
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

/** A secret as the key of a MAC. */
export function secretKey(secret: string): KeyObject {
  return createSecretKey(secret, "utf8");
}

/** Stamps the messages of a new session, in the order of the calls. `wallNow` gives milliseconds since 1970. */
export function createStamper(wallNow: () => number): () => Stamp {
  const session = randomBytes(8).toString("hex");
  let number = 0;
  return () => ({ signedAt: Math.floor(wallNow()), session, number: ++number });
}

/** The three questions a receiver asks of a signed message, each false for a forgery of its kind. */
export interface SignatureCheck<Session extends string | number = string> {
  /** Whether it was signed within the window, by either clock. Cheap: ask it first. */
  isRecent(signedAt: number): boolean;
  /** The key whose MAC, as `macOf` computes it, is the given one; undefined when no key's is. */
  keyOf(mac: Uint8Array, macOf: (key: KeyObject) => Uint8Array): KeyObject | undefined;
  /** Whether this message is seen for the first time. Ask only when the other two hold. */
  isFirst(stamp: Stamp<Session>): boolean;
}

/** Accepts what was signed with any of the secrets, not longer ago than `windowMs`, and only once. */
export function createSignatureCheck<Session extends string | number = string>(options: {
  readonly secrets: readonly string[];
  readonly windowMs: number;
  readonly wallNow: () => number;
}): SignatureCheck<Session> {
  const { windowMs, wallNow } = options;
  const keys = options.secrets.map(secretKey);
  const replays = createReplayGuard<Session>({ windowMs });
  return {
    isRecent: (signedAt) => Math.abs(wallNow() - signedAt) <= windowMs,
    keyOf: (mac, macOf) => keys.find((key) => timingSafeEqual(macOf(key), mac)),
    isFirst: (stamp) => replays.accept({ ...stamp, now: wallNow() }),
  };
}
