import type { NodeConnectionOptions } from "@nats-io/transport-node";
import { describe, invalidArgument } from "@parsec/core/authoring";

/** Options of a connection, and whether they identify this client. */
export interface NatsServers {
  readonly connect: NodeConnectionOptions;
  /** Whether they hold credentials, an authenticator or a client certificate. */
  readonly identified: boolean;
}

const defaultServer = "127.0.0.1:4222";

/**
 * Reads servers and connection options. Extracts user and password from URLs, because the client does not accept them
 * there. Throws `INVALID_ARGUMENT`.
 */
export function resolveServers(
  servers: string | readonly string[] | undefined,
  options: NodeConnectionOptions | undefined,
): NatsServers {
  const listed = typeof servers === "string" ? servers.split(",") : (servers ?? [defaultServer]);
  if (!Array.isArray(listed) || listed.length === 0) {
    throw invalidArgument("servers must be a URL or a non-empty array of URLs");
  }
  const parsed = listed.map((server, index) => parseServer(`servers[${index}]`, server));
  const named = parsed.find((server) => server.user !== undefined);
  const connect: NodeConnectionOptions = {
    ...credentialsOf(named),
    ...(parsed.some((server) => server.tls) ? { tls: {} } : {}),
    ...options,
    servers: parsed.map((server) => server.address),
  };
  const { user, token, authenticator, tls } = connect;
  const certified = tls?.cert !== undefined || tls?.certFile !== undefined;
  const identified = (user ?? token ?? authenticator) !== undefined || certified;
  return { connect, identified };
}

interface ParsedServer {
  readonly address: string;
  readonly tls: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

function parseServer(field: string, server: unknown): ParsedServer {
  if (typeof server !== "string") {
    throw invalidArgument(
      `${field} must be a URL such as "nats://host:4222", got ${describe(server)}`,
    );
  }
  // Errors do not repeat the text, which may contain a password.
  const match = /^(?:(nats|tls):\/\/)?(?:([^@/]*)@)?([^@/\s?#]+)\/?$/i.exec(server.trim());
  if (match === null) {
    throw invalidArgument(`${field} must be a URL such as "nats://host:4222" or "tls://host:4222"`);
  }
  const [, scheme, identity, address] = match;
  const colon = identity?.indexOf(":") ?? -1;
  const decode = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      throw invalidArgument(
        `${field} must not contain an invalid percent escape in user or password`,
      );
    }
  };
  return {
    address: address as string,
    tls: scheme?.toLowerCase() === "tls",
    user:
      identity === undefined ? undefined : decode(colon < 0 ? identity : identity.slice(0, colon)),
    password: identity === undefined || colon < 0 ? undefined : decode(identity.slice(colon + 1)),
  };
}

/** A user without a password is a token, as in all NATS clients. */
function credentialsOf(server: ParsedServer | undefined): NodeConnectionOptions {
  if (server?.user === undefined) return {};
  if (server.password === undefined) return { token: server.user };
  return { user: server.user, pass: server.password };
}
