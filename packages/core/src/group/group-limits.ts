import type { ResolvedPolicy } from "../cache-policy.ts";
import { isParsecError, ParsecError, type ParsecErrorCode } from "../errors.ts";
import { keyToBytes } from "../key-bytes.ts";
import { describe } from "../option-checks.ts";

/** What a group refuses, in words that name the group and the limit. */
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
        `a key of ${this.#name} must be a string, got ${describe(key)}`,
      );
    }
    const { maxKeyBytes } = this.#policy;
    // A character takes at most three bytes of UTF-8: most keys need no exact count.
    if (key.length * 3 <= maxKeyBytes) return;
    if (key.length > maxKeyBytes || keyToBytes(key).length > maxKeyBytes) {
      throw new ParsecError(
        "KEY_TOO_LARGE",
        `a key of ${this.#name} is larger than maxKeyBytes (${maxKeyBytes})`,
      );
    }
  }

  /** Throws `VALUE_TOO_LARGE`. */
  checkValue(value: Uint8Array | undefined): void {
    const { maxValueBytes } = this.#policy;
    if (value !== undefined && value.length > maxValueBytes) {
      throw new ParsecError(
        "VALUE_TOO_LARGE",
        `a value of ${this.#name} has ${value.length} bytes, more than maxValueBytes (${maxValueBytes})`,
      );
    }
  }

  /** The error of a wait that took too long: as long as a load may take, unless it was for less. */
  timeout(timeoutMs: number = this.#policy.timeoutMs): ParsecError {
    return new ParsecError(
      "TIMEOUT",
      `${this.#name} gave no answer within timeoutMs (${timeoutMs})`,
    );
  }

  /** Whatever was thrown, typed: with its own code if it has one. */
  typed(error: unknown, code: ParsecErrorCode): ParsecError {
    if (isParsecError(error)) return error;
    const detail = error instanceof Error ? error.message : String(error);
    return new ParsecError(code, `${this.#name}: ${detail}`, { cause: error });
  }
}
