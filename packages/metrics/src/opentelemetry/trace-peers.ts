import type { Tracer } from "@opentelemetry/api";
import type { Peer, PeerPicker } from "@parsec/core";
import { describe, invalidArgument, knownOptions } from "@parsec/core/authoring";
import { tracedHost } from "./traced-host.ts";
import { tracedPeer } from "./traced-peer.ts";
import { withMethods } from "./with-methods.ts";

/** Options of `tracePeers`. */
export interface TracePeersOptions {
  /** The tracer, such as `trace.getTracer("my-service")`. */
  readonly tracer: Tracer;
}

/**
 * Adds spans to the lookups and invalidations between nodes. Pass the returned picker to the registry and
 * use it in place of the given one, also for its other members such as `handler`. Spans never contain
 * keys, inputs, tags or messages; hits in local memory create none. Throws `INVALID_ARGUMENT` for
 * invalid arguments.
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
    pick(...args) {
      const owner = picker.pick(...args);
      return owner === undefined ? undefined : wrap(owner);
    },
    attach: (host) => picker.attach(tracedHost(host, tracer)),
  };
  return withMethods<PeerPicker>(picker, methods) as Picker;
}

function checked(picker: PeerPicker, options: TracePeersOptions): TracePeersOptions {
  if (typeof picker?.pick !== "function") {
    throw invalidArgument(
      `picker must be a peer picker such as createHttpPeers({ … }), got ${describe(picker)}`,
    );
  }
  if (typeof options?.tracer?.startSpan !== "function") {
    throw invalidArgument(
      `tracer must be an OpenTelemetry tracer, got ${describe(options?.tracer)}`,
    );
  }
  knownOptions("tracePeers", options, { tracer: 1 });
  return options;
}
