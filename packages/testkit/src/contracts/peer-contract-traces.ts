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

/** None of them may reach a host, split a header, or cost the caller its answer. */
const unfit: readonly PeerTrace[] = [
  { traceparent: "", tracestate: undefined },
  { traceparent: "nonsense", tracestate: "v=1" },
  { traceparent: `${traceparent}\r\nx-admin: 1`, tracestate: undefined },
  { traceparent: traceparent.replace("0af7", "日本"), tracestate: undefined },
  { traceparent: "x".repeat(100_000), tracestate: undefined },
];
const unfitStates: readonly string[] = ["", "v=é", "v=1\r\nx-admin: 1", "x".repeat(513)];

/** How calls stay part of the trace they were made in. */
export const traceCases: readonly ContractCase[] = [
  {
    name: "the trace of a lookup arrives with it, and with no other",
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
    name: "a trace that is none is left out, and the lookup is answered",
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
    name: "the trace of an invalidation arrives with it, unless it is none",
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
