import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { createGroupCache } from "@parsec/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { tracePeers } from "../src/opentelemetry/index.ts";
import { type RecordedSpans, recordSpans } from "./recorded-spans.ts";
import { overGrpc, overHttp, overNats, type Trace, type TwoNodes } from "./traced-transports.ts";

const natsUrl = process.env.PARSEC_TEST_NATS_URL;
const noNats = process.env.PARSEC_TEST_NATS_MISSING ?? "PARSEC_TEST_NATS_URL is not set";

let spans: RecordedSpans;

beforeEach(() => {
  spans = recordSpans();
});
afterEach(async () => {
  propagation.disable();
  await spans.close();
});

const traced: Trace = (picker) => tracePeers(picker, { tracer: spans.tracer });

/** Runs `work` in the root span of a new trace. */
function inTrace<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const span = spans.tracer.startSpan(name);
  return context.with(trace.setSpan(context.active(), span), work).finally(() => span.end());
}

/** A group on both nodes, with spans for its origin fetches. */
function groupsOn({ pickers }: TwoNodes) {
  const caches = pickers.map((peers) => createGroupCache({ peers }));
  const groups = caches.map((cache) =>
    cache.group("users", {
      load: (key) => inTrace(`query ${key}`, async () => `value of ${key}`),
      hot: false,
    }),
  );
  const close = (): Promise<unknown> => Promise.all(caches.map((cache) => cache.close()));
  return { groups, close };
}

/** Names and kinds of the spans from the root of the trace to this span. */
function pathOf(span: ReadableSpan): string[] {
  const parentId = span.parentSpanContext?.spanId;
  const parent = spans.all().find((candidate) => candidate.spanContext().spanId === parentId);
  const above = parent === undefined ? (parentId === undefined ? [] : ["lost"]) : pathOf(parent);
  return [...above, span.kind === SpanKind.INTERNAL ? span.name : SpanKind[span.kind]];
}

interface Transport {
  readonly name: string;
  readonly start: () => Promise<TwoNodes>;
  readonly propagates?: boolean;
  /** Go's protocol has no invalidation. */
  readonly invalidates?: boolean;
  readonly missing?: string | undefined;
}

const transports: readonly Transport[] = [
  { name: "HTTP", start: () => overHttp(traced) },
  { name: "HTTP, with W3C's propagator", start: () => overHttp(traced), propagates: true },
  {
    name: "HTTP over Go's wire",
    start: () => overHttp(traced, { peerWire: "golang", placement: "groupcache" }),
    invalidates: false,
  },
  { name: "gRPC", start: () => overGrpc(traced), propagates: true },
  {
    name: "NATS",
    start: () => overNats(traced, natsUrl as string),
    propagates: true,
    missing: natsUrl === undefined ? noNats : undefined,
  },
];

describe.each(transports)("over $name", (transport) => {
  it("has one trace per request, from the caller to the origin fetch on another node", async ({
    skip,
  }) => {
    if (transport.missing !== undefined) return skip(transport.missing);
    if (transport.propagates) propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    const nodes = await transport.start();
    const { groups, close } = groupsOn(nodes);
    const keys = Array.from({ length: 60 }, (_, index) => `secret-${index}`);
    try {
      // In one turn, so that the lookups share a frame and must still be distinguished.
      await Promise.all(keys.map((key) => inTrace(`get ${key}`, async () => groups[0]?.get(key))));
      await inTrace("drop", async () => groups[0]?.invalidate("secret-1"));
    } finally {
      await close();
      await nodes.close();
    }

    const queries = spans.all().filter(({ name }) => name.startsWith("query"));
    expect(queries).toHaveLength(keys.length);
    const away = (key: string): boolean => nodes.pickers[0]?.pick(key) !== undefined;
    expect(keys.filter(away).length).toBeGreaterThan(5);
    for (const query of queries) {
      const key = query.name.slice("query ".length);
      const way = away(key) ? ["CLIENT", "SERVER"] : [];
      expect(pathOf(query)).toEqual([`get ${key}`, ...way, query.name]);
    }
    const served = spans.all().filter(({ kind }) => kind === SpanKind.SERVER);
    const invalidated = served.filter(({ name }) => name === "parsec.invalidate");
    expect(invalidated.map(pathOf)).toEqual(
      transport.invalidates === false ? [] : [["drop", "CLIENT", "SERVER"]],
    );
    for (const span of served) {
      expect(span.parentSpanContext?.isRemote).toBe(true);
      expect(pathOf(span).at(-2)).toBe("CLIENT");
    }
    for (const { kind, name, attributes, events } of spans.all()) {
      if (kind === SpanKind.INTERNAL) continue;
      expect(JSON.stringify([name, attributes, events])).not.toContain("secret");
    }
  });
});
