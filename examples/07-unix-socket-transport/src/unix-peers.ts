import type { PeerPicker } from "@parsec/core";
import { createPeerSet } from "@parsec/core/transport";
import { checkSockets, resolveUnixOptions, type UnixPeersOptions } from "./unix-options.ts";
import { createUnixPeer } from "./unix-peer.ts";
import { createUnixServer } from "./unix-server.ts";

/** The other processes of this host. Give it to a registry or cache as `peers`, then call `listen`. */
export interface UnixPeers extends PeerPicker {
  /** Resolves when peers can connect. Rejects when the socket's file cannot be made, such as while it is in use. */
  listen(): Promise<void>;
}

/** Connects the processes of one host over Unix sockets. Throws `INVALID_ARGUMENT` naming the option that is wrong. */
export function createUnixPeers(options: UnixPeersOptions): UnixPeers {
  const resolved = resolveUnixOptions(options);
  const { membership, placement, discovery, onWarning } = resolved;
  const server = createUnixServer(resolved);
  const peers = createPeerSet({
    ...membership,
    placement,
    discovery,
    onWarning,
    checkIds: (peerUrls) => checkSockets({ selfUrl: membership.selfId, peerUrls }).ids,
    createPeer: (id, onChange) => createUnixPeer(id, { ...resolved, onChange }),
  });
  let closing: Promise<unknown> | undefined;
  return {
    ...peers,
    attach: (host) => server.attach(host),
    listen: () => server.listen(),
    async close() {
      closing ??= Promise.all([server.close(), peers.close()]);
      await closing;
    },
  };
}
