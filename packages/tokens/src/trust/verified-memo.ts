import { createHash } from "node:crypto";
import type { WallClock } from "../wall-clock.ts";
import type { VerifiedToken } from "./verified-token.ts";

/** Remembers tokens that passed, because a signature check costs a hundred times a lookup. */
export interface VerifiedMemo {
  get(digest: string): VerifiedToken | undefined;
  add(digest: string, token: VerifiedToken, tokenBytes: number): void;
}

export interface VerifiedMemoOptions {
  /** Sum of the remembered tokens' lengths; 0 switches the memo off. */
  readonly maxBytes: number;
  /** How long a withdrawn signing key can still count, at most. */
  readonly maxAgeMs: number;
  readonly now: WallClock;
}

interface Entry {
  readonly token: VerifiedToken;
  readonly bytes: number;
  readonly untilMs: number;
}

/** A parsed token takes about three times its text; the digest and the entry come on top. */
const parsedFactor = 3;
const entryOverheadBytes = 400;

/** The memo's key: a digest, so that the memory holds no token somebody could replay. */
export function tokenDigest(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}

/** Keeps the most recently used tokens within `maxBytes`, none longer than it is valid. */
export function createVerifiedMemo(options: VerifiedMemoOptions): VerifiedMemo {
  const { maxBytes, maxAgeMs, now } = options;
  const entries = new Map<string, Entry>();
  let bytes = 0;

  const remove = (digest: string, entry: Entry): void => {
    entries.delete(digest);
    bytes -= entry.bytes;
  };

  return {
    get(digest) {
      const entry = entries.get(digest);
      if (entry === undefined) return undefined;
      if (entry.untilMs <= now()) {
        remove(digest, entry);
        return undefined;
      }
      entries.delete(digest);
      entries.set(digest, entry);
      return entry.token;
    },
    add(digest, token, tokenBytes) {
      const cost = tokenBytes * parsedFactor + entryOverheadBytes;
      if (cost > maxBytes) return;
      const old = entries.get(digest);
      if (old !== undefined) remove(digest, old);
      const untilMs = Math.min(token.acceptedUntilMs, now() + maxAgeMs);
      entries.set(digest, { token, bytes: cost, untilMs });
      bytes += cost;
      for (const [oldest, entry] of entries) {
        if (bytes <= maxBytes) break;
        remove(oldest, entry);
      }
    },
  };
}
