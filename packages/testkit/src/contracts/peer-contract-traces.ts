import type { PeerTrace } from "@parsec/core";
import { expect } from "vitest";
import {
  type ContractCase,
  echo,
  invalidationOf,
  lookupOf,
  nodeAt,
  peerBetween,
  textOf,
} from "./contract-case.ts";

const toSecond: { from: number; to: number } = { from: 0, to: 1 };
const options: { timeoutMs: number } = { timeoutMs: 4000 };
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** Invalid trace contexts: none may reach a host, split a header or fail the lookup. */
const unfit: readonly PeerTrace[] = [
  { traceparent: "", tracestate: undefined },
  { traceparent: "nonsense", tracestate: "v=1" },
  { traceparent: `${traceparent}\r\nx-admin: 1`, tracestate: undefined },
  { traceparent: traceparent.replace("0af7", "日本"), tracestate: undefined },
  { traceparent: "x".repeat(100_000), tracestate: undefined },
];
const unfitStates: readonly string[] = ["", "v=é", "v=1\r\nx-admin: 1", "x".repeat(513)];

/** Propagation of trace context. */
export const traceCases: readonly ContractCase[] = [
  {
    name: "the trace context of a lookup arrives with that lookup only",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      const traces = [
        { traceparent, tracestate: undefined },
        undefined,
        { traceparent: traceparent.replace(/01$/, "00"), tracestate: "rojo=1,congo=a b;c" },
        { traceparent, tracestate: `rojo=${"x".repeat(507)}` },
        undefined,
      ];
      await Promise.all(
        traces.map((trace, index) => peer.lookup(lookupOf(`k${index}`, trace && { trace }))),
      );
      const arrived = new Map(host.lookups.map(({ lookup }) => [lookup.key, lookup.trace]));
      expect(traces.map((_, index) => arrived.get(`k${index}`))).toEqual(traces);
    },
  },
  {
    name: "an invalid trace context is dropped, and the lookup is answered",
    async run(context) {
      const { host } = nodeAt(context, 1);
      host.onLookup(echo);
      const peer = peerBetween(context, toSecond);
      const states = unfitStates.map((tracestate) => ({ traceparent, tracestate }));
      for (const trace of [...unfit, ...states]) {
        const lookup = lookupOf("k", { trace });
        expect(textOf(await peer.lookup(lookup))).toBe(textOf(echo(lookup)));
      }
      expect(host.lookups.map(({ lookup }) => lookup.trace)).toEqual([
        ...unfit.map(() => undefined),
        ...states.map(() => ({ traceparent, tracestate: undefined })),
      ]);
    },
  },
  {
    name: "the trace context of an invalidation arrives with it, unless it is invalid",
    async run(context) {
      const { host } = nodeAt(context, 1);
      const peer = peerBetween(context, toSecond);
      const fit = [
        { traceparent, tracestate: undefined },
        { traceparent, tracestate: "rojo=1" },
      ];
      for (const trace of [...fit, ...unfit, undefined]) {
        await peer.invalidate(invalidationOf(["k"], { trace }), options);
      }
      expect(host.invalidations.map(({ trace }) => trace)).toEqual([
        ...fit,
        ...unfit.map(() => undefined),
        undefined,
      ]);
    },
  },
];
