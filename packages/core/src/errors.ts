/**
 * Every way Parsec can fail. Match on `code`, never on the message.
 *
 * - `INVALID_ARGUMENT` an option or argument is out of its documented range
 * - `DUPLICATE_NAME` a group or data source of that name exists already
 * - `NO_SUCH_GROUP` nobody registered a group or data source of that name here
 * - `INVALID_KEY` the key is no string
 * - `KEY_TOO_LARGE`, `VALUE_TOO_LARGE` the limit of the group was exceeded
 * - `ORIGIN_FAILED` the source's own fetch rejected; `cause` holds what it threw, on the node that ran it
 * - `CODEC_FAILED` the value could not be encoded or decoded
 * - `TIMEOUT` the deadline passed before an answer came
 * - `ABORTED` the caller's own signal fired
 * - `PEER_UNREACHABLE` the owner could not be asked, or answered what nobody can read
 * - `MALFORMED_FRAME`, `FRAME_TOO_LARGE` bytes from the network break the frame format or its limits
 * - `UNAUTHENTICATED` the other side, a peer or a message server, does not know who asks, or cannot be trusted
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

/** The one error class of all `@parsec/*` packages. */
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

/** Recognises a ParsecError even when another copy of this package made it. */
export function isParsecError(value: unknown): value is ParsecError {
  return typeof value === "object" && value !== null && brand in value;
}
