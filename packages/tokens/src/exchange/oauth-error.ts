import { isParsecError, ParsecError, type ParsecErrorCode } from "@parsec/core";

/** Error codes of RFC 6749 §5.2 and RFC 8693 §2.2.2, and two for failures of the server. */
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

/** A `ParsecError` with an OAuth error code. Its message is sent to the client as `error_description`. */
export class OAuthError extends ParsecError {
  /** The `error` of the response. */
  readonly oauthCode: OAuthErrorCode;
  /** For `temporarily_unavailable`: when a retry is worthwhile, in milliseconds from now, where that is known. */
  readonly retryAfterMs: number | undefined;

  constructor(
    oauthCode: OAuthErrorCode,
    description: string,
    options: ErrorOptions & { readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(parsecCodes[oauthCode], description, options);
    this.oauthCode = oauthCode;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether the value is an OAuthError, also of another copy of this package. */
export function isOAuthError(value: unknown): value is OAuthError {
  return isParsecError(value) && typeof (value as Partial<OAuthError>).oauthCode === "string";
}

/**
 * Turns any error into the one for the client. For failures of the server the original is the `cause`,
 * for the log; its message is not sent.
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
          "a dependency is unavailable; retry later",
          { cause: reason, retryAfterMs: (reason as Partial<OAuthError>).retryAfterMs },
        );
      case "KEY_TOO_LARGE":
        return new OAuthError("invalid_request", "subject_token: the subject is too long", {
          cause: reason,
        });
      default:
    }
  }
  return new OAuthError("server_error", "internal error (see the log)", { cause: reason });
}
