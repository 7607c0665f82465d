import { hkdfSync } from "node:crypto";
import { numberOption } from "@parsec/core/authoring";
import { checkText, invalidOption } from "../option-checks.ts";
import type { KeySet, KeySource, SigningKey } from "./key-source.ts";
import { p256KeyFromScalar, scalarFromBytes } from "./p256-key.ts";

/** A rotation that every node computes for itself; see docs/adr/0010-signing-keys.md. */
export interface DerivedKeySourceOptions {
  /** Shared by all nodes; at least 32 bytes of randomness. Whoever has it can sign as the issuer. */
  readonly secret: string | Uint8Array;
  /** The issuer identifier; two issuers with one secret still have different keys. */
  readonly issuer: string;
  /** How long a key signs. Defaults to 86,400,000 (a day). */
  readonly rotateEveryMs?: number;
  /** How long verifiers may keep the key set. Defaults to 300,000. */
  readonly jwksMaxAgeMs?: number;
  /** Longest life of a token. Defaults to 3,600,000. */
  readonly maxTokenTtlMs?: number;
  /** How far the nodes' clocks may differ. Defaults to 60,000. */
  readonly clockSkewMs?: number;
  /**
   * Secrets whose keys are published but do not sign: the next one while it is rolled out, the last
   * one until its tokens have expired. Defaults to none.
   */
  readonly publishedSecrets?: readonly (string | Uint8Array)[];
}

const minSecretBytes = 32;
const scalarSeedBytes = 48;
/** More keys than this at once would mean a rotation far shorter than the tokens live. */
const maxSlots = 64;
const day = 86_400_000;

/**
 * Divides time into slots and derives one ES256 key per slot from the secret: no node asks another,
 * a restart loses nothing, and a process that slept for a week wakes up with the right key. Throws
 * `INVALID_ARGUMENT` for a short secret or times that do not fit together.
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
  const aheadMs = jwksMaxAgeMs + clockSkewMs;
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

/** The derivation is part of the contract between nodes: changing it changes everybody's keys. */
function deriveKey(secret: Uint8Array, issuer: string, slot: number): SigningKey {
  const info = JSON.stringify(["parsec ES256 signing key", 1, issuer, slot]);
  const seed = hkdfSync("sha256", secret, "", info, scalarSeedBytes);
  return p256KeyFromScalar(scalarFromBytes(new Uint8Array(seed)));
}

interface ResolvedDerivedKeyOptions
  extends Required<Omit<DerivedKeySourceOptions, "secret" | "publishedSecrets">> {
  readonly secret: Uint8Array;
  readonly publishedSecrets: readonly Uint8Array[];
}

function resolveDerivedKeyOptions(options: DerivedKeySourceOptions): ResolvedDerivedKeyOptions {
  const number = (
    name: "rotateEveryMs" | "jwksMaxAgeMs" | "maxTokenTtlMs" | "clockSkewMs",
    limits: { readonly fallback: number; readonly min: number; readonly max: number },
  ): number => numberOption(name, { given: options[name], ...limits });
  const rotateEveryMs = number("rotateEveryMs", { fallback: day, min: 1_000, max: 366 * day });
  const jwksMaxAgeMs = number("jwksMaxAgeMs", { fallback: 300_000, min: 0, max: day });
  const maxTokenTtlMs = number("maxTokenTtlMs", { fallback: 3_600_000, min: 1_000, max: day });
  const clockSkewMs = number("clockSkewMs", { fallback: 60_000, min: 0, max: day });
  if ((jwksMaxAgeMs + maxTokenTtlMs + 2 * clockSkewMs) / rotateEveryMs > maxSlots) {
    throw invalidOption(
      "rotateEveryMs",
      `must be at least a ${maxSlots}th of jwksMaxAgeMs, maxTokenTtlMs and twice clockSkewMs together`,
    );
  }
  return {
    issuer: checkText("issuer", options.issuer),
    secret: checkSecret("secret", options.secret),
    publishedSecrets: (options.publishedSecrets ?? []).map((value, index) =>
      checkSecret(`publishedSecrets[${index}]`, value),
    ),
    rotateEveryMs,
    jwksMaxAgeMs,
    maxTokenTtlMs,
    clockSkewMs,
  };
}

function checkSecret(name: string, secret: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(secret as Uint8Array);
  if (bytes.length < minSecretBytes) {
    throw invalidOption(name, `must have at least ${minSecretBytes} bytes`);
  }
  return bytes;
}
