import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTHeaderParameters,
} from "jose";
import { isCanonicalBase64url } from "../base64url.ts";

/** Finds the keys of one fetched set that may have signed a token with this header. */
export type KeyResolver = (header: JWTHeaderParameters) => Promise<readonly CryptoKey[]>;

/** Maximum number of keys tried for a token when the set has no key ids. */
const maxCandidates = 16;

/** Members with binary content (RFC 7518 §6, RFC 8037 §2). */
const binaryMembers = ["x", "y", "n", "e"] as const;

/** A resolver for a JSON Web Key Set (RFC 7517). Throws for anything else. Keys that cannot be used are ignored. */
export function createKeyResolver(document: unknown): KeyResolver {
  const { keys } = (document ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error("not a JSON Web Key Set");
  const usable = keys.filter(isWellFormed);
  const resolve = createLocalJWKSet({ keys: usable } as JSONWebKeySet);
  return async (header) => {
    try {
      return [await resolve(header)];
    } catch (reason) {
      // A key that cannot be imported counts as missing; the rest of the set still works.
      return reason instanceof errors.JWKSMultipleMatchingKeys ? collect(reason) : [];
    }
  };
}

function isWellFormed(key: unknown): boolean {
  if (typeof key !== "object" || key === null) return false;
  return binaryMembers.every((name) => {
    const value = (key as Record<string, unknown>)[name];
    return value === undefined || (typeof value === "string" && isCanonicalBase64url(value));
  });
}

async function collect(several: AsyncIterable<CryptoKey>): Promise<readonly CryptoKey[]> {
  const keys: CryptoKey[] = [];
  for await (const key of several) {
    keys.push(key);
    if (keys.length === maxCandidates) break;
  }
  return keys;
}
