import type { ResolvedPolicy } from "../cache-policy.ts";
import { isParsecError, messageOf, ParsecError, type ParsecErrorCode } from "../errors.ts";
import { canonicalKey, keyToBytes } from "../key-bytes.ts";
import { describe } from "../option-checks.ts";

/** Checks keys and values against the limits of a group, with errors that name both. */
export class GroupLimits {
  readonly #name: string;
  readonly #policy: ResolvedPolicy;

  constructor(name: string, policy: ResolvedPolicy) {
    this.#name = name;
    this.#policy = policy;
  }

  /** Throws `INVALID_KEY` or `KEY_TOO_LARGE`. */
  checkKey(key: string): void {
    if (typeof key !== "string") {
      throw new ParsecError(
        "INVALID_KEY",
        `${this.#name}: key must be a string, got ${describe(key)}`,
      );
    }
    if (this.allowsKey(key)) return;
    throw new ParsecError(
      "KEY_TOO_LARGE",
      `${this.#name}: key must have at most ${this.#policy.maxKeyBytes} bytes (maxKeyBytes)`,
    );
  }

  /** Whether the key has at most `maxKeyBytes`. */
  allowsKey(key: string): boolean {
    const { maxKeyBytes } = this.#policy;
    // A character takes at most three bytes of UTF-8: most keys need no exact count.
    if (key.length * 3 <= maxKeyBytes) return true;
    return key.length <= maxKeyBytes && keyToBytes(key).length <= maxKeyBytes;
  }

  /** Like {@link checkKey}, for a key that did not arrive as bytes: it must differ from all others as bytes, too. */
  checkCallersKey(key: string): void {
    this.checkKey(key);
    if (canonicalKey(key) === key) return;
    throw new ParsecError(
      "INVALID_KEY",
      `${this.#name}: key must not have lone surrogates, such as half an emoji, got ${describe(key)}`,
    );
  }

  /** Throws `VALUE_TOO_LARGE`. */
  checkValue(value: Uint8Array | undefined): void {
    const { maxValueBytes } = this.#policy;
    if (value !== undefined && value.length > maxValueBytes) {
      throw new ParsecError(
        "VALUE_TOO_LARGE",
        `${this.#name}: value must have at most ${maxValueBytes} bytes (maxValueBytes), got ${value.length}`,
      );
    }
  }

  /** The error of a wait that timed out, by default after the policy's `timeoutMs`. */
  timeout(timeoutMs: number = this.#policy.timeoutMs): ParsecError {
    return new ParsecError(
      "TIMEOUT",
      `${this.#name}: no answer within ${Math.round(timeoutMs)} ms (timeoutMs)`,
    );
  }

  /** Wraps an error as a `ParsecError` with the given code; returns a `ParsecError` as it is. */
  typed(error: unknown, code: ParsecErrorCode): ParsecError {
    if (isParsecError(error)) return error;
    return new ParsecError(code, `${this.#name}: ${messageOf(error)}`, { cause: error });
  }
}
