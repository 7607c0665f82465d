import type { IncomingHttpHeaders } from "node:http";
import { createScriptedHost } from "@parsec/testkit";
import { afterEach, expect, it } from "vitest";
import { createHttpPeers } from "../src/index.ts";
import { startServer } from "./http-cluster.ts";
import { rawRequest } from "./raw-http.ts";

/* W3C trace headers with Go's protocol, as other implementations send and receive them. */

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const other = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

it("sends trace headers only with a GET that has a trace context", async () => {
  const asked: IncomingHttpHeaders[] = [];
  const server = await startServer((request, response) => {
    asked.push(request.headers);
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
  cleanups.push(() => server.close());
  const selfUrl = "http://127.0.0.1:1";
  const peers = createHttpPeers({ selfUrl, peerUrls: [selfUrl, server.url], peerWire: "golang" });
  cleanups.push(() => peers.close());
  const lookup = { group: "g", key: "k", input: undefined, fence: 0, timeoutMs: 4000 };
  const traces = [
    { traceparent, tracestate: "rojo=1,congo=2" },
    { traceparent, tracestate: undefined },
    { traceparent, tracestate: "v=1\r\nx-admin: 1" },
    { traceparent: `${traceparent}\r\nx-admin: 1`, tracestate: "v=1" },
    undefined,
  ];
  for (const trace of traces) await peers.peers()[0]?.lookup({ ...lookup, trace });
  expect(asked.map((headers) => [headers.traceparent, headers.tracestate])).toEqual([
    [traceparent, "rojo=1,congo=2"],
    [traceparent, undefined],
    [traceparent, undefined],
    [undefined, undefined],
    [undefined, undefined],
  ]);
  expect(asked.filter((headers) => "x-admin" in headers)).toEqual([]);
});

it.each([
  ["in order", [`Traceparent: ${traceparent}`, "Tracestate: v=1"], "v=1"],
  ["without state", [`traceparent: ${traceparent}`], undefined],
  [
    "with state in several headers",
    [`traceparent: ${traceparent}`, "tracestate: a=1", "tracestate: b=2"],
    "a=1,b=2",
  ],
  [
    "with the second traceparent of an instrumented client",
    [`traceparent: ${traceparent}`, `traceparent: ${other}`],
    undefined,
  ],
  [
    "without state that is too long",
    [`traceparent: ${traceparent}`, `tracestate: ${"x".repeat(513)}`],
    undefined,
  ],
])(
  "passes the trace headers of a foreign client to the host %s",
  async (_, headers, tracestate) => {
    expect(await traceOfGet(headers)).toEqual({ traceparent, tracestate });
  },
);

it.each([
  ["there are none", []],
  ["there is only state", ["tracestate: v=1"]],
  ["the traceparent is invalid", ["traceparent: nonsense", "tracestate: v=1"]],
  ["the traceparent is of zeros", [`traceparent: 00-${"0".repeat(32)}-b7ad6b7169203331-01`]],
])("answers a GET without trace context when %s", async (_, headers) => {
  expect(await traceOfGet(headers)).toBeUndefined();
});

/** The lookup that the host receives for a GET with these headers. */
async function traceOfGet(headers: readonly string[]): Promise<unknown> {
  const server = await startServer();
  cleanups.push(() => server.close());
  const peers = createHttpPeers({
    selfUrl: server.url,
    peerUrls: [server.url],
    openLoopback: true,
  });
  cleanups.push(() => peers.close());
  server.listener = peers.handler;
  const host = createScriptedHost();
  host.onLookup(() => ({ value: Buffer.from("v"), ttlMs: 0, fence: 0, ratePerMinute: 0 }));
  peers.attach(host);
  const request = ["GET /_groupcache/g/k HTTP/1.1", "Host: localhost", ...headers];
  expect((await rawRequest(server.port, request)).status).toBe(200);
  expect(host.lookups).toHaveLength(1);
  return host.lookups[0]?.lookup.trace;
}
