import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import { describe, ParsecError } from "@parsec/core";
import type { RingNatsOptions } from "../ring-options.ts";

const loopback = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[?::1\]?)$/i;

export interface NatsServers {
  readonly connect: NodeConnectionOptions;
  /** Whether the options say who this node is. */
  readonly identified: boolean;
}

/**
 * Reads servers and connection options. The client takes no user and password in a URL, though that is how
 * most people write them down, so they are taken out here. Throws `INVALID_ARGUMENT`.
 */
export function resolveNatsServers(options: RingNatsOptions): NatsServers {
  const { servers = "127.0.0.1:4222", connectionOptions = {} } = options;
  const listed = typeof servers === "string" ? servers.split(",") : servers;
  if (!Array.isArray(listed) || listed.length === 0) {
    throw invalid("servers must be a URL, or an array with at least one");
  }
  const parsed = listed.map((server, at) => parseServer(`servers[${at}]`, server));
  const named = parsed.find(({ identity }) => identity !== undefined)?.identity;
  const connect: NodeConnectionOptions = {
    ...named,
    ...(parsed.some(({ tls }) => tls) ? { tls: {} } : {}),
    ...connectionOptions,
    servers: parsed.map(({ address }) => address),
  };
  const { user, token, authenticator, tls } = connect;
  const certified = tls?.cert !== undefined || tls?.certFile !== undefined;
  return { connect, identified: (user ?? token ?? authenticator) !== undefined || certified };
}

/** Why a server is no place for a ring: it is on another machine and lets in anybody. */
export function unprotectedReason(
  client: NatsConnection,
  options: { readonly identified: boolean; readonly insecure: boolean },
): ParsecError | undefined {
  const { info } = client;
  if (options.insecure || options.identified) return undefined;
  if (info?.auth_required === true || info?.tls_verify === true) return undefined;
  const server = client.getServer();
  const colon = server.lastIndexOf(":");
  if (loopback.test(colon < 0 ? server : server.slice(0, colon))) return undefined;
  const message = `the NATS server ${server} lets in anybody who reaches it: give it credentials or client certificates, or say insecure: true`;
  return new ParsecError("UNAUTHENTICATED", message);
}

function parseServer(
  field: string,
  server: unknown,
): {
  readonly address: string;
  readonly tls: boolean;
  readonly identity: NodeConnectionOptions | undefined;
} {
  if (typeof server !== "string") {
    throw invalid(`${field} must be a URL such as "nats://host:4222", not ${describe(server)}`);
  }
  // Errors do not repeat the text: it may hold a password.
  const match = /^(?:(nats|tls):\/\/)?(?:([^@/]*)@)?([^@/\s?#]+)\/?$/i.exec(server.trim());
  if (match === null) {
    throw invalid(`${field} must be a URL such as "nats://host:4222" or "tls://host:4222"`);
  }
  const [, scheme, identity, address = ""] = match;
  const tls = scheme?.toLowerCase() === "tls";
  return {
    address,
    tls,
    identity: identity === undefined ? undefined : identityOf(identity, field),
  };
}

/** A user without a password is a token, as with all NATS clients. */
function identityOf(identity: string, field: string): NodeConnectionOptions {
  const decode = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      throw invalid(`${field} holds a user or password with a "%" that escapes nothing`);
    }
  };
  const colon = identity.indexOf(":");
  if (colon < 0) return { token: decode(identity) };
  return { user: decode(identity.slice(0, colon)), pass: decode(identity.slice(colon + 1)) };
}

function invalid(message: string): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", message);
}
