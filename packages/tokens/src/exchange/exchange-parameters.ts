import { OAuthError } from "./oauth-error.ts";
import {
  accessTokenType,
  type IssuedTokenType,
  isPresentedTokenType,
  jwtTokenType,
  type PresentedTokenType,
  tokenExchangeGrant,
} from "./token-types.ts";

/** A token of a request, not yet verified, and the type that the client declared. */
export interface DeclaredToken {
  readonly name: "subject_token" | "actor_token";
  readonly token: string;
  readonly type: PresentedTokenType;
}

/** A parsed token exchange request (RFC 8693 §2.1), not yet authorized. */
export interface ExchangeParameters {
  readonly subjectToken: DeclaredToken;
  readonly actorToken: DeclaredToken | undefined;
  readonly requestedTokenType: IssuedTokenType;
  readonly audiences: readonly string[];
  readonly resources: readonly string[];
  /** Undefined when no scope was requested. */
  readonly scope: readonly string[] | undefined;
}

/** The only parameters that may be repeated (RFC 6749 §3.2). */
const repeatable: ReadonlySet<string> = new Set(["audience", "resource"]);

/** RFC 6749 §3.3: printable ASCII without space, quote and backslash. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * Rejects repeated parameters, which parsers interpret differently. An empty value counts as absent.
 * Throws `invalid_request`.
 */
export function checkNoRepeats(form: URLSearchParams): void {
  const seen = new Set<string>();
  for (const [name, value] of form) {
    if (value === "" || repeatable.has(name)) continue;
    if (seen.has(name)) throw invalid(`parameter must not be repeated: ${printable(name)}`);
    seen.add(name);
  }
}

/** The value of a parameter; undefined when absent or empty. */
export function formValue(form: URLSearchParams, name: string): string | undefined {
  return formValues(form, name)[0];
}

/**
 * Reads the parameters of a token exchange; unknown ones are ignored. Throws an `OAuthError` with
 * `unsupported_grant_type`, `invalid_request`, `invalid_scope` or `invalid_target`.
 */
export function parseExchangeParameters(form: URLSearchParams): ExchangeParameters {
  const grant = formValue(form, "grant_type");
  if (grant === undefined) throw invalid("grant_type is missing");
  if (grant !== tokenExchangeGrant) {
    throw new OAuthError("unsupported_grant_type", `grant_type must be ${tokenExchangeGrant}`);
  }
  return {
    subjectToken: parseToken(form, "subject_token") ?? missing("subject_token"),
    actorToken: parseToken(form, "actor_token"),
    requestedTokenType: parseRequestedType(formValue(form, "requested_token_type")),
    audiences: formValues(form, "audience"),
    resources: formValues(form, "resource").map(checkResource),
    scope: parseScope(formValue(form, "scope")),
  };
}

function formValues(form: URLSearchParams, name: string): readonly string[] {
  return form.getAll(name).filter((value) => value !== "");
}

function parseToken(form: URLSearchParams, name: DeclaredToken["name"]): DeclaredToken | undefined {
  const token = formValue(form, name);
  const type = formValue(form, `${name}_type`);
  if (token === undefined && type === undefined) return undefined;
  if (token === undefined) return missing(name);
  if (type === undefined) return missing(`${name}_type`);
  if (!isPresentedTokenType(type)) throw invalid(`${name}_type is not supported`);
  return { name, token, type };
}

function parseRequestedType(type: string | undefined): IssuedTokenType {
  if (type === undefined || type === accessTokenType) return accessTokenType;
  if (type === jwtTokenType) return jwtTokenType;
  throw invalid("requested_token_type is not supported");
}

function parseScope(text: string | undefined): readonly string[] | undefined {
  const names = text?.split(" ").filter((name) => name !== "");
  if (names === undefined || names.length === 0) return undefined;
  if (!names.every((name) => scopeToken.test(name))) {
    throw new OAuthError("invalid_scope", "scope contains an invalid character");
  }
  return [...new Set(names)];
}

/** RFC 8693 §2.1: an absolute URI, optionally with a query, without a fragment. */
function checkResource(resource: string): string {
  if (!URL.canParse(resource) || resource.includes("#")) {
    throw new OAuthError("invalid_target", "resource must be an absolute URI without a fragment");
  }
  return resource;
}

function missing(name: string): never {
  throw invalid(`${name} is missing`);
}

function invalid(description: string): OAuthError {
  return new OAuthError("invalid_request", description);
}

/** The name as sent by the client, limited to the characters that RFC 6749 allows in error_description. */
function printable(name: string): string {
  return name.slice(0, 40).replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "?");
}
