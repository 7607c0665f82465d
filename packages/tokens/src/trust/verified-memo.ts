import { createHash } from "node:crypto";
import type { WallClock } from "../wall-clock.ts";
import type { VerifiedToken } from "./verified-token.ts";

/** An LRU cache of verified tokens: a signature check takes a hundred times as long as a lookup. */
export interface VerifiedMemo {
  get(digest: string): VerifiedToken | undefined;
  add(digest: string, token: VerifiedToken, tokenBytes: number): void;
}

/** Limits of the memo. */
export interface VerifiedMemoOptions {
  /** Maximum estimated size of all entries; 0 turns the memo off. */
  readonly maxBytes: number;
  /** Maximum age of an entry, which bounds how long a revoked signing key is still accepted. */
  readonly maxAgeMs: number;
  readonly now: WallClock;
}

interface Entry {
  readonly token: VerifiedToken;
  readonly bytes: number;
  readonly untilMs: number;
}

/** A parsed token takes about three times the bytes of its text, plus digest and entry. */
const parsedFactor = 3;
const entryOverheadBytes = 400;

/** The key of an entry: a digest, so that memory contains no token that could be replayed. */
export function tokenDigest(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}

/** Keeps the most recently used tokens within `maxBytes`, each until it expires or is older than `maxAgeMs`. */
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
