import type { ParsecError } from "@parsec/core";
import {
  type AdmissionRules,
  createUplink,
  type NatsUplink,
  unprotectedReason,
} from "@parsec/nats";
import type { NatsPeersWarning, ResolvedNatsOptions } from "./nats-options.ts";

const retry = { firstMs: 100, longestMs: 2000 };
const pingIntervalMs = 2000;

/**
 * Creates the connection of a node: warns when it is lost and established again, and refuses an unprotected server.
 * `onFailure` gets every failed attempt to connect and every error that the server reports.
 */
export function createPeersUplink(
  options: ResolvedNatsOptions,
  onFailure: (error: ParsecError) => void,
): NatsUplink {
  const { cluster, nodeId, connection, servers, clock, random } = options;
  const rules = admissionRules(options);
  const warn = (kind: NatsPeersWarning["kind"], message: string): void =>
    options.onWarning({ kind, peerId: nodeId, message });
  const uplink = createUplink({
    name: `parsec ${cluster} ${nodeId}`,
    servers,
    connection,
    retry,
    pingIntervalMs,
    clock,
    random,
    refuse(client) {
      const reason = unprotectedReason(client, rules);
      if (reason !== undefined) warn("unprotected", reason.message);
      return reason;
    },
  });
  uplink.listen({
    up(client) {
      if (uplink.reconnects > 0) warn("reconnected", `reconnected to ${client.getServer()}`);
    },
    down: () =>
      warn(
        "disconnected",
        "the connection to NATS was lost; peers are unreachable until it is back",
      ),
    failed: onFailure,
  });
  return uplink;
}

/** What the options say about who may reach the node through a server. */
export function admissionRules(
  options: Pick<ResolvedNatsOptions, "secrets" | "insecure" | "servers" | "connection">,
): AdmissionRules {
  const { secrets, insecure, servers, connection } = options;
  return {
    isProtected: secrets.length > 0 || insecure,
    // How the application made its connection is not known here.
    identified: servers.identified && connection === undefined,
    remedy: "give all nodes a secret, or set insecure: true",
  };
}
