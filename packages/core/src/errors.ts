/**
 * The codes of {@link ParsecError}. Match on `code`, never on the message.
 *
 * - `INVALID_ARGUMENT` an option or argument breaks its documented rule
 * - `DUPLICATE_NAME` a group or data source of that name exists already
 * - `NO_SUCH_GROUP` no group or data source of that name is registered
 * - `INVALID_KEY` the key is not a string
 * - `KEY_TOO_LARGE`, `VALUE_TOO_LARGE` a key or value exceeds the limit of its group
 * - `ORIGIN_FAILED` the fetch of the data source failed; `cause` is its error, on the node that ran it
 * - `CODEC_FAILED` the value could not be encoded or decoded
 * - `TIMEOUT` no answer before the deadline
 * - `ABORTED` the caller's own signal fired
 * - `PEER_UNREACHABLE` a peer could not be reached, or its answer could not be read
 * - `MALFORMED_FRAME`, `FRAME_TOO_LARGE` bytes from the network violate the frame format or its limits
 * - `UNAUTHENTICATED` a peer or message server refused this node's credentials, or failed to prove its own
 * - `OVERLOADED` a bounded queue is full
 * - `CLOSED` the cache, registry or transport was closed
 */
export type ParsecErrorCode =
  | "INVALID_ARGUMENT"
  | "DUPLICATE_NAME"
  | "NO_SUCH_GROUP"
  | "INVALID_KEY"
  | "KEY_TOO_LARGE"
  | "VALUE_TOO_LARGE"
  | "ORIGIN_FAILED"
  | "CODEC_FAILED"
  | "TIMEOUT"
  | "ABORTED"
  | "PEER_UNREACHABLE"
  | "MALFORMED_FRAME"
  | "FRAME_TOO_LARGE"
  | "UNAUTHENTICATED"
  | "OVERLOADED"
  | "CLOSED";

const brand = Symbol.for("@parsec/error");

/** The error class of all `@parsec/*` packages. Applications catch it and match on `code`; they need not create any. */
export class ParsecError extends Error {
  override readonly name: string = "ParsecError";
  readonly code: ParsecErrorCode;

  static {
    Object.defineProperty(ParsecError.prototype, brand, { value: true });
  }

  constructor(code: ParsecErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The message of an error of the user's code, which may be anything, such as an object without a prototype. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "an object without a message";
  }
}

/** Whether a value is a {@link ParsecError}. Use it instead of `instanceof`, which fails when two copies of the package are loaded. */
export function isParsecError(value: unknown): value is ParsecError {
  return typeof value === "object" && value !== null && brand in value;
}
