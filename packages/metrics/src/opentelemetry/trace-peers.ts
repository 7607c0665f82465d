import type { Tracer } from "@opentelemetry/api";
import { ParsecError, type Peer, type PeerPicker } from "@parsec/core";
import { describe } from "@parsec/core/authoring";
import { tracedHost } from "./traced-host.ts";
import { tracedPeer } from "./traced-peer.ts";
import { withMethods } from "./with-methods.ts";

/** Options of `tracePeers`. */
export interface TracePeersOptions {
  /** Such as `trace.getTracer("my-service")`. */
  readonly tracer: Tracer;
}

/**
 * The picker with spans around what nodes ask of each other; give it to the registry, and use it for
 * all else as before, such as its `handler`. Keys, inputs, tags and messages never get into a span,
 * and what memory answers makes none. Throws `INVALID_ARGUMENT`.
 */
export function tracePeers<Picker extends PeerPicker>(
  picker: Picker,
  options: TracePeersOptions,
): Picker {
  const { tracer } = checked(picker, options);
  const traced = new WeakMap<Peer, Peer>();
  const wrap = (peer: Peer): Peer => {
    const known = traced.get(peer);
    if (known !== undefined) return known;
    const wrapped = tracedPeer(peer, tracer);
    traced.set(peer, wrapped);
    return wrapped;
  };
  const methods: Partial<PeerPicker> = {
    peers: () => picker.peers().map(wrap),
    pick(...question) {
      const owner = picker.pick(...question);
      return owner === undefined ? undefined : wrap(owner);
    },
    attach: (host) => picker.attach(tracedHost(host, tracer)),
  };
  return withMethods<PeerPicker>(picker, methods) as Picker;
}

function checked(picker: PeerPicker, options: TracePeersOptions): TracePeersOptions {
  if (typeof picker?.pick !== "function") {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `what is traced must be a peer picker, such as createHttpPeers({ … }), got ${describe(picker)}`,
    );
  }
  if (typeof options?.tracer?.startSpan !== "function") {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `tracer must be a tracer of OpenTelemetry, got ${describe(options?.tracer)}`,
    );
  }
  return options;
}
