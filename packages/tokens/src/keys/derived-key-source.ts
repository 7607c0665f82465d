import { hkdfSync } from "node:crypto";
import { invalidArgument, knownOptions, numberOption } from "@parsec/core/authoring";
import { checkText } from "../option-checks.ts";
import type { KeySet, KeySource, SigningKey } from "./key-source.ts";
import { p256KeyFromScalar, scalarFromBytes } from "./p256-key.ts";
import { weaknessOf } from "./weak-secret.ts";

/** Options of `createDerivedKeySource`. Times in milliseconds. */
export interface DerivedKeySourceOptions {
  /** Shared by all nodes: at least 32 random bytes, such as of `openssl rand -base64 32`. Anyone who has it can sign as the issuer. */
  readonly secret: string | Uint8Array;
  /** The issuer identifier. Issuers with the same secret have different keys. */
  readonly issuer: string;
  /** How long each key signs, and for how long it is published before. Defaults to 86,400,000 (a day). */
  readonly rotateEveryMs?: number;
  /** How long verifiers may cache the key set. Defaults to 300,000. */
  readonly jwksMaxAgeMs?: number;
  /** Maximum lifetime of a token. Defaults to 3,600,000. */
  readonly maxTokenTtlMs?: number;
  /** Maximum difference between the nodes' clocks. Defaults to 60,000. */
  readonly clockSkewMs?: number;
  /**
   * Secrets whose keys are published but do not sign, for a rotation of the secret: the next one during
   * its rollout, the previous one until its tokens have expired. Defaults to none.
   */
  readonly publishedSecrets?: readonly (string | Uint8Array)[];
  /** Accepts secrets that are easy to guess, for demonstrations and tests. Defaults to false. */
  readonly isDemo?: boolean;
}

const minSecretBytes = 32;
const scalarSeedBytes = 48;
/** Maximum number of published slots. More would mean that keys rotate far faster than tokens expire. */
const maxSlots = 64;
const day = 86_400_000;

/**
 * Rotates signing keys without coordination: time is divided into slots, and the ES256 key of each slot
 * is derived from the secret, so all nodes have the same keys, also after a restart or suspension. See
 * docs/adr/0010-signing-keys.md. Throws `INVALID_ARGUMENT` for a short, published or repetitive secret and
 * for incompatible times.
 */
export function createDerivedKeySource(options: DerivedKeySourceOptions): KeySource {
  const {
    issuer,
    secret,
    publishedSecrets,
    rotateEveryMs,
    jwksMaxAgeMs,
    maxTokenTtlMs,
    clockSkewMs,
  } = resolveDerivedKeyOptions(options);
  // Verifiers that keep a key set for longer than its max-age, such as for a day, know the next key, too.
  const aheadMs = Math.max(jwksMaxAgeMs, rotateEveryMs) + clockSkewMs;
  const behindMs = maxTokenTtlMs + clockSkewMs;
  const slotAt = (ms: number): number => Math.floor(ms / rotateEveryMs);

  let slotKeys = new Map<number, readonly [SigningKey, ...SigningKey[]]>();
  let current: { readonly slots: string; readonly keys: KeySet } | undefined;

  const keysOfSlot = (slot: number): readonly [SigningKey, ...SigningKey[]] => {
    const signing = deriveKey(secret, issuer, slot);
    return [signing, ...publishedSecrets.map((other) => deriveKey(other, issuer, slot))];
  };

  return {
    keysAt(nowMs) {
      const [first, now, last] = [slotAt(nowMs - behindMs), slotAt(nowMs), slotAt(nowMs + aheadMs)];
      const slots = `${first} ${now} ${last}`;
      if (current?.slots === slots) return current.keys;
      const kept = new Map<number, readonly [SigningKey, ...SigningKey[]]>();
      for (let slot = first; slot <= last; slot += 1) {
        kept.set(slot, slotKeys.get(slot) ?? keysOfSlot(slot));
      }
      slotKeys = kept;
      const [signing] = kept.get(now) ?? keysOfSlot(now);
      const published = [...kept.values()].flat().map((key) => key.publicJwk);
      current = { slots, keys: { signing, published } };
      return current.keys;
    },
    jwksMaxAgeMs,
    maxTokenTtlMs,
    close() {
      slotKeys.clear();
      current = undefined;
    },
  };
}

/** All nodes must derive keys in the same way: a change here changes all keys. */
function deriveKey(secret: Uint8Array, issuer: string, slot: number): SigningKey {
  const info = JSON.stringify(["parsec ES256 signing key", 1, issuer, slot]);
  const seed = hkdfSync("sha256", secret, "", info, scalarSeedBytes);
  return p256KeyFromScalar(scalarFromBytes(new Uint8Array(seed)));
}

interface ResolvedDerivedKeyOptions
  extends Required<Omit<DerivedKeySourceOptions, "secret" | "publishedSecrets" | "isDemo">> {
  readonly secret: Uint8Array;
  readonly publishedSecrets: readonly Uint8Array[];
}

function resolveDerivedKeyOptions(options: DerivedKeySourceOptions): ResolvedDerivedKeyOptions {
  knownOptions("createDerivedKeySource", options, {
    secret: 1,
    issuer: 1,
    rotateEveryMs: 1,
    jwksMaxAgeMs: 1,
    maxTokenTtlMs: 1,
    clockSkewMs: 1,
    publishedSecrets: 1,
    isDemo: 1,
  });
  const number = (
    name: "rotateEveryMs" | "jwksMaxAgeMs" | "maxTokenTtlMs" | "clockSkewMs",
    limits: { readonly fallback: number; readonly min: number; readonly max: number },
  ): number => numberOption(name, { given: options[name], ...limits });
  const rotateEveryMs = number("rotateEveryMs", { fallback: day, min: 1_000, max: 366 * day });
  const jwksMaxAgeMs = number("jwksMaxAgeMs", { fallback: 300_000, min: 0, max: day });
  const maxTokenTtlMs = number("maxTokenTtlMs", { fallback: 3_600_000, min: 1_000, max: day });
  const clockSkewMs = number("clockSkewMs", { fallback: 60_000, min: 0, max: day });
  // The slots that a token or a key set of the past, the skew of two clocks and the next rotation reach into.
  if ((jwksMaxAgeMs + maxTokenTtlMs + 2 * clockSkewMs) / rotateEveryMs > maxSlots) {
    throw invalidArgument(
      `rotateEveryMs must be at least (jwksMaxAgeMs + maxTokenTtlMs + 2 * clockSkewMs) / ${maxSlots}, got ${rotateEveryMs}`,
    );
  }
  const isDemo = options.isDemo ?? false;
  return {
    issuer: checkText("issuer", options.issuer),
    secret: checkSecret("secret", options.secret, isDemo),
    publishedSecrets: (options.publishedSecrets ?? []).map((value, index) =>
      checkSecret(`publishedSecrets[${index}]`, value, isDemo),
    ),
    rotateEveryMs,
    jwksMaxAgeMs,
    maxTokenTtlMs,
    clockSkewMs,
  };
}

function checkSecret(name: string, secret: string | Uint8Array, isDemo: boolean): Uint8Array {
  const bytes = Buffer.from(secret as Uint8Array);
  if (bytes.length < minSecretBytes) {
    throw invalidArgument(
      `${name} must have at least ${minSecretBytes} bytes, got ${bytes.length}`,
    );
  }
  const weakness = isDemo ? undefined : weaknessOf(bytes);
  if (weakness !== undefined) throw invalidArgument(`${name} ${weakness}`);
  return bytes;
}
