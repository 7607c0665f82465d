import { createHash, timingSafeEqual } from "node:crypto";
import { checkText, invalidOption } from "../option-checks.ts";
import { formValue } from "./exchange-parameters.ts";
import { OAuthError } from "./oauth-error.ts";

/** A client that has to prove who it is. */
export interface ClientOptions {
  readonly id: string;
  readonly secret: string;
}

export interface ClientAuthenticationOptions {
  /** Clients with a secret. Defaults to none. */
  readonly clients?: readonly ClientOptions[];
  /** Whether callers that are none of them get an answer. Defaults to true while there are no clients. */
  readonly allowUnregistered?: boolean;
}

/** Who asks for a token; no id when it did not say. */
export interface AuthenticatedClient {
  readonly id: string | undefined;
}

/** Finds out which client is asking. */
export interface ClientAuthenticator {
  /** Methods as the metadata lists them (RFC 8414 `token_endpoint_auth_methods_supported`). */
  readonly methods: readonly string[];
  /** Throws `invalid_client`, or `invalid_request` for two ways of authentication at once. */
  authenticate(authorization: string | undefined, form: URLSearchParams): AuthenticatedClient;
}

interface Credentials {
  readonly id: string;
  readonly secret: string;
}

/** Knows `client_secret_basic`, `client_secret_post` and `none`. Throws `INVALID_ARGUMENT` for bad options. */
export function createClientAuthenticator(
  options: ClientAuthenticationOptions,
): ClientAuthenticator {
  const clients = new Map<string, Buffer>();
  for (const [index, client] of (options.clients ?? []).entries()) {
    const id = checkText(`clients[${index}].id`, client.id);
    if (clients.has(id)) throw invalidOption("clients", `must not list ${id} twice`);
    clients.set(id, digest(checkText(`clients[${index}].secret`, client.secret)));
  }
  const allowUnregistered = options.allowUnregistered ?? clients.size === 0;
  const nobody = digest("");

  const checkSecret = ({ id, secret }: Credentials): AuthenticatedClient => {
    // Compared for unknown clients too, so that the time taken does not tell which ids exist.
    const equal = timingSafeEqual(digest(secret), clients.get(id) ?? nobody);
    if (!equal || !clients.has(id))
      throw new OAuthError("invalid_client", "unknown client or wrong secret");
    return { id };
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
          throw new OAuthError("invalid_request", "the client authenticates in two ways at once");
        }
        const credentials = parseBasic(authorization);
        if (id !== undefined && id !== credentials.id) {
          throw new OAuthError("invalid_request", "client_id is not the client that authenticates");
        }
        return checkSecret(credentials);
      }
      if (secret !== undefined) return checkSecret({ id: id ?? "", secret });
      // A name without proof is fine only if it is nobody's: a token must not say "billing" for anyone.
      if (!allowUnregistered || (id !== undefined && clients.has(id))) {
        throw new OAuthError("invalid_client", "the client must authenticate");
      }
      return { id };
    },
  };
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they are joined and put in Base64. */
function parseBasic(authorization: string): Credentials {
  const match = /^basic +([a-z0-9+/=_-]+)$/i.exec(authorization);
  const text = Buffer.from(match?.[1] ?? "", "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 0)
    throw new OAuthError("invalid_client", "the Authorization header is no HTTP Basic");
  return { id: formDecode(text.slice(0, colon)), secret: formDecode(text.slice(colon + 1)) };
}

function formDecode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new OAuthError("invalid_client", "the client's credentials are not form-encoded");
  }
}

function digest(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
