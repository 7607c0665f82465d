import { ParsecError } from "@parsec/core";

/** `ORIGIN_FAILED`: it is not known whether a key of the issuer signed the token. */
export class KeysUnavailableError extends ParsecError {
  /** When a retry is worthwhile, in milliseconds from now. */
  readonly retryAfterMs: number;

  constructor(message: string, options: ErrorOptions & { readonly retryAfterMs: number }) {
    super("ORIGIN_FAILED", message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}
