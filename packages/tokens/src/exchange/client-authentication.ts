import { createHash, timingSafeEqual } from "node:crypto";
import { invalidArgument, knownOptions } from "@parsec/core/authoring";
import { checkText } from "../option-checks.ts";
import { type Credentials, readBasicCredentials } from "./basic-credentials.ts";
import { formValue } from "./exchange-parameters.ts";
import { OAuthError } from "./oauth-error.ts";

/** A client that must authenticate. */
export interface ClientOptions {
  /** Its `client_id`. */
  readonly id: string;
  /** Its `client_secret`. */
  readonly secret: string;
}

/** The clients of a token service. */
export interface ClientAuthenticationOptions {
  /** Registered clients. Defaults to none. */
  readonly clients?: readonly ClientOptions[];
  /** Whether callers that are not registered clients are served. Defaults to true when `clients` is empty, else false. */
  readonly allowUnregistered?: boolean;
}

/** The client of an exchange. */
export interface AuthenticatedClient {
  /** Its `client_id`; undefined when it did not authenticate, whatever `client_id` it sent. */
  readonly id: string | undefined;
}

/** Authenticates clients. */
export interface ClientAuthenticator {
  /** Supported methods (RFC 8414 `token_endpoint_auth_methods_supported`). */
  readonly methods: readonly string[];
  /** Throws `invalid_client`, or `invalid_request` for two authentication methods in one request. */
  authenticate(authorization: string | undefined, form: URLSearchParams): AuthenticatedClient;
}

/** Supports `client_secret_basic`, `client_secret_post` and `none`. Throws `INVALID_ARGUMENT` for invalid options. */
export function createClientAuthenticator(
  options: ClientAuthenticationOptions,
): ClientAuthenticator {
  const clients = new Map<string, Buffer>();
  for (const [index, client] of (options.clients ?? []).entries()) {
    knownOptions(`clients[${index}]`, client, { id: 1, secret: 1 });
    const id = checkText(`clients[${index}].id`, client.id);
    if (clients.has(id)) throw invalidArgument(`clients must not list ${id} twice`);
    clients.set(id, digest(checkText(`clients[${index}].secret`, client.secret)));
  }
  const allowUnregistered = options.allowUnregistered ?? clients.size === 0;
  const noSecret = digest("");

  // Compares for unknown clients too, so that the time taken does not reveal which ids exist.
  const isRight = ({ id, secret }: Credentials): boolean =>
    timingSafeEqual(digest(secret), clients.get(id) ?? noSecret) && clients.has(id);

  /** Several readings of one header are checked all, so that the time does not depend on which is right. */
  const checkSecret = (readings: readonly Credentials[]): { readonly id: string } => {
    const [right] = readings.filter(isRight);
    if (right === undefined) {
      throw new OAuthError("invalid_client", "unknown client or wrong secret");
    }
    return { id: right.id };
  };

  return {
    methods: [
      ...(allowUnregistered ? ["none"] : []),
      ...(clients.size === 0 ? [] : ["client_secret_basic", "client_secret_post"]),
    ],
    authenticate(authorization, form) {
      const id = formValue(form, "client_id");
      const secret = formValue(form, "client_secret");
      if (formValue(form, "client_assertion") !== undefined) {
        throw new OAuthError("invalid_client", "client assertions are not supported");
      }
      if (authorization !== undefined) {
        if (secret !== undefined) {
          throw new OAuthError("invalid_request", "client must use only one authentication method");
        }
        const readings = readBasicCredentials(authorization);
        if (readings.length === 0) {
          const description = "Authorization header must be HTTP Basic with id, colon and secret";
          throw new OAuthError("invalid_client", description);
        }
        if (id !== undefined && !readings.some((reading) => reading.id === id)) {
          throw new OAuthError(
            "invalid_request",
            "client_id must be that of the Authorization header",
          );
        }
        return checkSecret(readings.filter((reading) => id === undefined || reading.id === id));
      }
      if (secret !== undefined) return checkSecret([{ id: id ?? "", secret }]);
      // An unauthenticated caller must not use the id of a registered client.
      if (!allowUnregistered || (id !== undefined && clients.has(id))) {
        throw new OAuthError("invalid_client", "client must authenticate");
      }
      return { id: undefined };
    },
  };
}

function digest(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
