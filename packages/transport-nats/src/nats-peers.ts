import type { PeerCallOptions, PeerHost, PeerPicker } from "@parsec/core";
import { createPeerSet } from "@parsec/core/transport";
import { NatsInbox } from "./client/nats-inbox.ts";
import { createNatsPeer } from "./client/nats-peer.ts";
import { NatsMembership } from "./membership/nats-membership.ts";
import { MessageVerifier } from "./nats-auth.ts";
import { type NatsPeersOptions, resolveNatsOptions } from "./nats-options.ts";
import { Readiness } from "./nats-readiness.ts";
import { checkMembers } from "./nats-subjects.ts";
import { createPeersUplink } from "./nats-uplink.ts";
import { NatsHandler } from "./server/nats-handler.ts";
import { Refusals } from "./server/nats-refusals.ts";

/** State of a node's connection to NATS and of its membership. */
export interface NatsPeersStats {
  /** Whether the node is connected to NATS. While it is not, every peer is `PEER_UNREACHABLE`. */
  readonly connected: boolean;
  /** Host and port of the server; undefined while disconnected. */
  readonly server: string | undefined;
  readonly serverVersion: string | undefined;
  /** How many times the connection was lost and established again. */
  readonly reconnects: number;
  /** Whether this node has joined: see `ready`. */
  readonly ready: boolean;
  /** Every member, this node included. */
  readonly members: readonly string[];
  /** Messages refused because they were malformed, replayed, or not signed correctly. */
  readonly refused: number;
  /** The last error of NATS; stays after a recovery. */
  readonly lastError: string | undefined;
}

/** The peers of a node over NATS. Give it to a registry or cache as `peers`. */
export interface NatsPeers extends PeerPicker {
  /**
   * Resolves when this node is connected, serves requests, and knows the members. Waits for a server that is down.
   * Rejects with `UNAUTHENTICATED` (credentials refused, or an unprotected server), `INVALID_ARGUMENT` (no
   * JetStream for the members), `ABORTED` or `CLOSED`; the node goes on trying in the background.
   */
  ready(options?: PeerCallOptions): Promise<void>;
  stats(): NatsPeersStats;
}

/**
 * Connects this node with others over NATS, and reconnects until it is closed. Members find each other by heartbeats
 * in a JetStream bucket, are listed, or are found by a discovery. Throws `INVALID_ARGUMENT` naming the invalid option.
 */
export function createNatsPeers(options: NatsPeersOptions): NatsPeers {
  const resolved = resolveNatsOptions(options);
  const { membership, secrets, limits, clock } = resolved;
  const readiness = new Readiness();
  const refusals = new Refusals(resolved);
  const uplink = createPeersUplink(resolved, (error) => {
    if (error.code === "UNAUTHENTICATED") readiness.fail(error);
  });
  const verifier =
    secrets.length === 0
      ? undefined
      : new MessageVerifier({
          secrets,
          windowMs: limits.maxClockSkewMs,
          wallNow: Date.now,
        });
  const handler = new NatsHandler(resolved, { uplink, verifier, refusals });
  const inbox = new NatsInbox({
    uplink,
    clock,
    subjects: resolved.subjects,
    verifier,
    onRefused: () => refusals.note("an answer that is not signed by this cluster"),
  });
  let members: NatsMembership | undefined;
  const { nodeId } = resolved;
  const peers = createPeerSet({
    selfId: nodeId,
    ids: membership.kind === "static" ? membership.ids : [nodeId],
    placement: resolved.placement,
    discovery:
      membership.kind === "static"
        ? membership.discovery
        : {
            start({ onPeers }) {
              members = new NatsMembership(resolved, {
                settings: membership,
                uplink,
                onMembers: onPeers,
                onAlive: (id) => peers.get(id)?.probe?.(),
                onReady: () => readiness.succeed(),
                onFailure: (error) => {
                  if (error.code === "INVALID_ARGUMENT") readiness.fail(error);
                },
                onRefused: (reason) => refusals.note(reason),
                onRejoined: () => handler.rejoined(),
              });
            },
            // After updatePeers, the node still announces itself until it leaves.
            close() {},
          },
    checkIds: (ids) => checkMembers("ids", { nodeId, ids }),
    createPeer: (id, onChange) => createNatsPeer(id, resolved, { uplink, inbox, onChange }),
    onWarning(warning) {
      const kind = warning.kind === "discovery" ? "membership" : warning.kind;
      resolved.onWarning({ ...warning, kind });
    },
  });
  uplink.listen({
    up() {
      if (membership.kind === "static") readiness.succeed();
      // A peer that was down may have recovered while this node was disconnected.
      for (const peer of peers.peers()) peer.probe?.();
    },
  });
  uplink.start();

  const close = async (): Promise<void> => {
    readiness.close();
    // First, so that no new requests arrive while this node finishes those under way.
    await members?.leave();
    await Promise.all([handler.close(), peers.close()]);
    await inbox.end();
    await uplink.close();
  };
  let closing: Promise<void> | undefined;
  return {
    ...peers,
    attach: (host: PeerHost) => handler.attach(host),
    ready: (waiting) => readiness.wait(waiting?.signal),
    stats: () => ({
      connected: uplink.connected,
      server: uplink.client?.getServer(),
      serverVersion: uplink.client?.info?.version,
      reconnects: uplink.reconnects,
      ready: readiness.isReady,
      members: [nodeId, ...peers.peers().map(({ id }) => id)].sort(),
      refused: refusals.count,
      lastError: uplink.lastError?.message,
    }),
    close() {
      closing ??= close();
      return closing;
    },
  };
}
