import { isParsecError, ParsecError, type ParsecErrorCode } from "@parsec/core";

/** Error codes of RFC 6749 §5.2 and RFC 8693 §2.2.2, and two for faults of the server. */
export type OAuthErrorCode =
  | "invalid_request"
  | "invalid_client"
  | "unauthorized_client"
  | "unsupported_grant_type"
  | "invalid_scope"
  | "invalid_target"
  | "temporarily_unavailable"
  | "server_error";

const parsecCodes: Readonly<Record<OAuthErrorCode, ParsecErrorCode>> = {
  invalid_request: "INVALID_ARGUMENT",
  invalid_client: "UNAUTHENTICATED",
  unauthorized_client: "UNAUTHENTICATED",
  unsupported_grant_type: "INVALID_ARGUMENT",
  invalid_scope: "INVALID_ARGUMENT",
  invalid_target: "INVALID_ARGUMENT",
  temporarily_unavailable: "ORIGIN_FAILED",
  server_error: "ORIGIN_FAILED",
};

/** A ParsecError that also says what to tell an OAuth client; its message is the `error_description`. */
export class OAuthError extends ParsecError {
  readonly oauthCode: OAuthErrorCode;

  constructor(oauthCode: OAuthErrorCode, description: string, options?: ErrorOptions) {
    super(parsecCodes[oauthCode], description, options);
    this.oauthCode = oauthCode;
  }
}

/** Recognises an OAuthError even when another copy of this package made it. */
export function isOAuthError(value: unknown): value is OAuthError {
  return isParsecError(value) && typeof (value as Partial<OAuthError>).oauthCode === "string";
}

/**
 * The one place that turns whatever went wrong into what the client may know. Faults on our side
 * keep the original as `cause` for the log; its text never travels.
 */
export function toOAuthError(reason: unknown): OAuthError {
  if (isOAuthError(reason)) return reason;
  if (isParsecError(reason)) {
    switch (reason.code) {
      case "ORIGIN_FAILED":
      case "TIMEOUT":
      case "PEER_UNREACHABLE":
      case "OVERLOADED":
      case "CLOSED":
      case "ABORTED":
        return new OAuthError(
          "temporarily_unavailable",
          "something needed to answer does not answer itself; try again soon",
          { cause: reason },
        );
      case "KEY_TOO_LARGE":
        return new OAuthError("invalid_request", "the subject is too long", { cause: reason });
      default:
    }
  }
  return new OAuthError("server_error", "the request could not be handled", { cause: reason });
}
