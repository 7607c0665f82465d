import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { createScriptedHost } from "@parsec/testkit";
import { expect, it, onTestFinished } from "vitest";
import { createGrpcPeers } from "../src/index.ts";
import { freePorts } from "./free-ports.ts";

/* W3C trace headers from clients of groupcachepb.GroupCache. */

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const getRequest: Buffer = Buffer.from("0a016712016b", "hex");
const sameBytes = (bytes: Buffer): Buffer => bytes;

/** The lookup that the host receives for a Get with this metadata. */
async function traceOfGet(entries: readonly (readonly [string, string])[]): Promise<unknown> {
  const [port = 0] = await freePorts(1);
  const selfUrl = `grpc://127.0.0.1:${port}`;
  const peers = createGrpcPeers({ selfUrl, peerUrls: [selfUrl], insecure: true });
  onTestFinished(() => peers.close());
  await peers.listen({ host: "127.0.0.1" });
  const host = createScriptedHost();
  host.onLookup(() => ({ value: Buffer.from("v"), ttlMs: 0, fence: 0, ratePerMinute: 0 }));
  peers.attach(host);
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(() => client.close());
  const metadata = new Metadata();
  for (const [name, value] of entries) metadata.add(name, value);
  const answer = await new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/groupcachepb.GroupCache/Get",
      sameBytes,
      sameBytes,
      getRequest,
      metadata,
      { deadline: Date.now() + 5000 },
      (error, bytes) => (error === null ? resolve(bytes) : reject(error)),
    );
  });
  expect(answer).toBeInstanceOf(Buffer);
  expect(host.lookups[0]?.lookup).toMatchObject({ group: "g", key: "k" });
  return host.lookups[0]?.lookup.trace;
}

it.each([
  [
    "in order",
    [
      ["traceparent", traceparent],
      ["tracestate", "a=1,b=2"],
    ],
    "a=1,b=2",
  ],
  ["without state", [["traceparent", traceparent]], undefined],
  [
    "with state in several pieces",
    [
      ["traceparent", traceparent],
      ["tracestate", "a=1"],
      ["tracestate", "b=2"],
    ],
    "a=1,b=2",
  ],
  [
    "without state that is too long",
    [
      ["traceparent", traceparent],
      ["tracestate", "x".repeat(513)],
    ],
    undefined,
  ],
] as const)("passes the trace context of a call to the host %s", async (_, entries, tracestate) => {
  const trace = await traceOfGet(entries);
  expect(trace).toMatchObject({ traceparent });
  expect((trace as { tracestate?: string }).tracestate?.replaceAll(" ", "")).toBe(tracestate);
});

it.each([
  ["there are none", []],
  ["there is only state", [["tracestate", "a=1"]]],
  [
    "the traceparent is invalid",
    [
      ["traceparent", "nonsense"],
      ["tracestate", "a=1"],
    ],
  ],
] as const)("answers a call without trace context when %s", async (_, entries) => {
  expect(await traceOfGet(entries)).toBeUndefined();
});
