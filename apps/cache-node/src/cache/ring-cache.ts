import { ParsecError } from "@parsec/core";
import type { Ring } from "@parsec/ring";
import { cacheLimits } from "./cache-limits.ts";
import {
  decodeAnswer,
  decodeSetRequest,
  encodeAnswer,
  encodeSetRequest,
} from "./cache-messages.ts";
import { encodeOperation } from "./cache-operation.ts";
import type { AdmitValue } from "./memory-limit.ts";

export interface CacheCallOptions {
  readonly signal?: AbortSignal;
}

/** The cache as any node offers it: each request is answered by the owner of the key. */
export interface RingCache {
  /** Sets a value; resolves with the owner. `ttlSeconds` 0 means no expiry. Rejects like `Ring.call`. */
  set(
    key: string,
    value: string,
    options: CacheCallOptions & { readonly ttlSeconds: number },
  ): Promise<{ readonly node: string }>;
  /** Gets a value; resolves with undefined when there is none, or it has expired. Rejects like `Ring.read`. */
  get(
    key: string,
    options?: CacheCallOptions,
  ): Promise<{ readonly node: string; readonly value: string | undefined }>;
  /** Deletes a key; resolves with whether it had a value. Rejects like `Ring.call`. */
  delete(
    key: string,
    options?: CacheCallOptions,
  ): Promise<{ readonly node: string; readonly deleted: boolean }>;
}

/**
 * Creates the cache of a ring, before the ring starts. Only the owner of a key reads the clock, so that a lifetime
 * begins at the same moment on all copies.
 */
export function createRingCache(
  ring: Ring,
  { now, admit }: { readonly now: () => number; readonly admit: AdmitValue },
): RingCache {
  const node = ring.nodeId;
  ring.handle("set", async ({ key, partition, payload, write }) => {
    const { value, ttlSeconds } = decodeSetRequest(payload);
    if (ttlSeconds > cacheLimits.maxTtlSeconds) {
      throw new ParsecError("INVALID_ARGUMENT", "ttl is too long");
    }
    admit(partition, { key, value });
    const expiresAtMs = ttlSeconds === 0 ? 0 : Math.ceil(now() + ttlSeconds * 1000);
    await write(encodeOperation({ kind: "set", key, value, expiresAtMs }));
    return encodeAnswer({ node, existed: false, value: "" });
  });
  ring.handle("delete", async ({ key, write }) => {
    const answer = await write(encodeOperation({ kind: "delete", key, nowMs: Math.floor(now()) }));
    return encodeAnswer({ node, existed: answer[0] === 1, value: "" });
  });
  return {
    async set(key, value, { ttlSeconds, ...options }) {
      const payload = encodeSetRequest({ value, ttlSeconds });
      const answer = decodeAnswer(await ring.call(key, "set", payload, options));
      return { node: answer.node };
    },
    async get(key, options) {
      const answer = decodeAnswer(await ring.read(key, Buffer.from(key), options));
      return { node: answer.node, value: answer.existed ? answer.value : undefined };
    },
    async delete(key, options) {
      const answer = decodeAnswer(await ring.call(key, "delete", new Uint8Array(), options));
      return { node: answer.node, deleted: answer.existed };
    },
  };
}
