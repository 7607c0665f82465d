import type { NatsConnection } from "@nats-io/transport-node";
import { ParsecError } from "@parsec/core";
import type { ResolvedNatsOptions } from "./nats-options.ts";

const loopback =
  /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[?::1\]?|(?:\[?::ffff:127\.\d.*))$/i;

/**
 * Who reaches this node is whoever reaches the NATS server (invariant I10). Returns why a server is
 * no place to serve peers on: it is on another machine, lets in anybody, and messages are not signed.
 * Encryption alone does not count, because it keeps nobody out.
 */
export function unprotectedReason(
  connection: NatsConnection,
  options: Pick<ResolvedNatsOptions, "secrets" | "insecure" | "servers" | "connection">,
): ParsecError | undefined {
  const { secrets, insecure, servers } = options;
  if (secrets.length > 0 || insecure) return undefined;
  const { info } = connection;
  if (info?.auth_required === true || info?.tls_verify === true) return undefined;
  // Under `no_auth_user` a server asks nobody who he is, but keeps those who say it apart.
  if (options.connection === undefined && servers.identified) return undefined;
  const server = connection.getServer();
  if (loopback.test(hostOf(server))) return undefined;
  return new ParsecError(
    "UNAUTHENTICATED",
    `the NATS server ${server} lets in anybody who reaches it: give it credentials or client certificates, ` +
      "give all nodes a secret, or say insecure: true",
  );
}

/** Whether a server that is trusted for being on this machine listens on others' networks as well. */
export function isOpenToNetwork(
  connection: NatsConnection,
  options: Pick<ResolvedNatsOptions, "secrets" | "insecure" | "servers">,
): boolean {
  const { info } = connection;
  if (options.secrets.length > 0 || options.insecure || options.servers.identified) return false;
  if (info === undefined || info.auth_required === true || info.tls_verify === true) return false;
  return !loopback.test(info.host);
}

function hostOf(server: string): string {
  const colon = server.lastIndexOf(":");
  return colon < 0 ? server : server.slice(0, colon);
}
