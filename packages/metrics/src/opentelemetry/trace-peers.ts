import type { Tracer } from "@opentelemetry/api";
import { describe, ParsecError, type Peer, type PeerPicker } from "@parsec/core";
import { tracedHost } from "./traced-host.ts";
import { tracedPeer } from "./traced-peer.ts";

/** Options of `tracePeers`. */
export interface TracePeersOptions {
  /** Such as `trace.getTracer("my-service")`. */
  readonly tracer: Tracer;
}

/**
 * Puts spans around what nodes ask of each other: hand the result to the registry in the picker's
 * place, and keep the picker for all else, such as its `handler`. Keys, inputs, tags and messages
 * never get into a span. Costs nothing where memory answers. Throws `INVALID_ARGUMENT`.
 */
export function tracePeers(picker: PeerPicker, options: TracePeersOptions): PeerPicker {
  const { tracer } = checked(picker, options);
  const traced = new WeakMap<Peer, Peer>();
  const wrap = (peer: Peer): Peer => {
    const known = traced.get(peer);
    if (known !== undefined) return known;
    const wrapped = tracedPeer(peer, tracer);
    traced.set(peer, wrapped);
    return wrapped;
  };
  return {
    selfId: picker.selfId,
    peers: () => picker.peers().map(wrap),
    pick(...question) {
      const owner = picker.pick(...question);
      return owner === undefined ? undefined : wrap(owner);
    },
    updatePeers: (ids) => picker.updatePeers(ids),
    attach: (host) => picker.attach(tracedHost(host, tracer)),
    close: () => picker.close(),
  };
}

function checked(picker: PeerPicker, options: TracePeersOptions): TracePeersOptions {
  if (typeof picker?.pick !== "function") {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `what is traced must be a peer picker, such as createHttpPeers({ … }), not ${describe(picker)}`,
    );
  }
  if (typeof options?.tracer?.startSpan !== "function") {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `tracer must be a tracer of OpenTelemetry, not ${describe(options?.tracer)}`,
    );
  }
  return options;
}
