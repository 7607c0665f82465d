import type { NatsConnection } from "@nats-io/transport-node";
import { ParsecError } from "@parsec/core";
import type { NatsServers } from "./servers.ts";

const loopback =
  /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[?::1\]?|(?:\[?::ffff:127\.\d.*))$/i;

/** What is known about who may reach a node through a NATS server. */
export interface AdmissionRules {
  /** Messages are signed, or the user accepts an open server by `insecure`. */
  readonly isProtected: boolean;
  /** The options hold credentials or a client certificate. */
  readonly identified: boolean;
  /** What the error advises beside credentials, such as "give all nodes a secret". */
  readonly remedy: string;
}

/**
 * Returns why a server must not be used: it is on another machine and accepts clients without
 * credentials, so that anyone could reach the node (invariant I10). Encryption alone does not count,
 * because it excludes no client.
 */
export function unprotectedReason(
  client: NatsConnection,
  rules: AdmissionRules,
): ParsecError | undefined {
  if (rules.isProtected || asksForCredentials(client)) return undefined;
  // A server with `no_auth_user` accepts clients without credentials, but separates them from those with.
  if (rules.identified) return undefined;
  const server = client.getServer();
  if (loopback.test(hostOf(server))) return undefined;
  return new ParsecError(
    "UNAUTHENTICATED",
    `the NATS server ${server} accepts clients without credentials: give it credentials or client certificates, ${rules.remedy}`,
  );
}

/** Whether nodes reach each other only through servers on this machine that do not ask who they are, as far as it is known before connecting. */
export function isOpenOnLoopback(options: {
  readonly servers: NatsServers;
  readonly connection: NatsConnection | undefined;
}): boolean {
  const { servers, connection } = options;
  if (connection !== undefined) {
    // Unknown while the connection is lost.
    if (connection.info === undefined || asksForCredentials(connection)) return false;
    return loopback.test(hostOf(connection.getServer()));
  }
  const { servers: addresses = [] } = servers.connect;
  return !servers.identified && [addresses].flat().every((one) => loopback.test(hostOf(one)));
}

function asksForCredentials({ info }: NatsConnection): boolean {
  return info?.auth_required === true || info?.tls_verify === true;
}

function hostOf(server: string): string {
  const colon = server.lastIndexOf(":");
  return colon < 0 ? server : server.slice(0, colon);
}
