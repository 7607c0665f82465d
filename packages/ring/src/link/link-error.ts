import { ParsecError, type ParsecErrorCode } from "@parsec/core";
import type { Delivery } from "./link.ts";

/** Rejects a request to another node that was not answered. */
export class LinkError extends ParsecError {
  /** `not-delivered` when the other node cannot have received the request, so that a retry is safe. */
  readonly delivery: Delivery;

  constructor(
    code: Extract<
      ParsecErrorCode,
      "PEER_UNREACHABLE" | "TIMEOUT" | "CLOSED" | "OVERLOADED" | "FRAME_TOO_LARGE"
    >,
    message: string,
    options: ErrorOptions & { readonly delivery: Delivery },
  ) {
    super(code, message, options);
    this.delivery = options.delivery;
  }
}
