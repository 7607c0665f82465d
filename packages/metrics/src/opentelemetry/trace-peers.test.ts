import { context, type Span, trace } from "@opentelemetry/api";
import {
  createDataSourceClusterRegistry,
  createGroupCache,
  type Group,
  type GroupLoader,
  type PeerHost,
  type PeerPicker,
} from "@parsec/core";
import { createMemoryNetwork, createScriptedHost, type MemoryNetwork } from "@parsec/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RecordedSpans, recordSpans, type SpanSummary } from "../../test/recorded-spans.ts";
import { tracePeers } from "./trace-peers.ts";

const ids = ["a", "b"];
let spans: RecordedSpans;
let network: MemoryNetwork;
const closing: (() => Promise<void>)[] = [];

beforeEach(() => {
  spans = recordSpans();
  network = createMemoryNetwork();
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await spans.close();
});

/** The group "pages" on a node whose peers are traced, and what its picker says about owners. */
function node(selfId: string, load: GroupLoader): { pages: Group; peers: PeerPicker } {
  const peers = tracePeers(network.createPeers({ selfId, ids }), { tracer: spans.tracer });
  const cache = createGroupCache({ peers });
  closing.push(() => cache.close());
  return { pages: cache.group("pages", { load, hot: false, onPeerFailure: "fail" }), peers };
}

function keysOf(peers: PeerPicker, owner: string, count: number): string[] {
  const keys: string[] = [];
  for (let n = 0; keys.length < count; n++) {
    const key = `secret-${n}`;
    if ((peers.pick(key)?.id ?? peers.selfId) === owner) keys.push(key);
  }
  return keys;
}

function distinct(summaries: readonly SpanSummary[]): readonly SpanSummary[] {
  const seen = new Map(summaries.map((summary) => [JSON.stringify(summary), summary]));
  return [...seen.values()];
}

async function withSpan<T>(name: string, work: (span: Span) => Promise<T>): Promise<T> {
  const span = spans.tracer.startSpan(name);
  try {
    return await context.with(trace.setSpan(context.active(), span), () => work(span));
  } finally {
    span.end();
  }
}

describe("tracePeers", () => {
  it("makes a client span of a lookup, beneath the caller's, and a server span at the owner", async () => {
    const a = node("a", () => "page of a");
    node("b", () => "page of b");
    const [key = ""] = keysOf(a.peers, "b", 1);
    const caller = await withSpan("request", async (span) => {
      await a.pages.get(key);
      return span.spanContext();
    });
    expect(spans.of("CLIENT")).toEqual([
      {
        name: "parsec.lookup",
        attributes: {
          "group.name": "pages",
          "parsec.peer.id": "b",
          "parsec.found": true,
          "parsec.value.bytes": 9,
        },
        failed: false,
      },
    ]);
    expect(spans.of("SERVER")).toEqual([
      {
        name: "parsec.lookup",
        attributes: { "group.name": "pages", "parsec.found": true, "parsec.value.bytes": 9 },
        failed: false,
      },
    ]);
    const client = spans.all().find(({ attributes }) => "parsec.peer.id" in attributes);
    expect(client?.parentSpanContext?.spanId).toBe(caller.spanId);
    expect(client?.spanContext().traceId).toBe(caller.traceId);
  });

  it("gives a server span no parent but a link to what is active when the request arrives", async () => {
    const a = node("a", () => "page");
    node("b", () => "page");
    await a.pages.get(keysOf(a.peers, "b", 1)[0] ?? "");
    const [server, client] = spans.all();
    expect(server?.parentSpanContext).toBeUndefined();
    // The memory network delivers within what the asker has active, which is the client span.
    expect(server?.links.map((link) => link.context.spanId)).toEqual([
      client?.spanContext().spanId,
    ]);
  });

  it("puts what the owner's loader does beneath the server span, and answers from memory at once", async () => {
    const a = node("a", () => "page");
    const b = node("b", (key) =>
      withSpan("query", async () => (key.endsWith("?") ? undefined : "page")),
    );
    const [key = ""] = keysOf(a.peers, "b", 1);
    await a.pages.get(key);
    await a.pages.get(key);
    const byName = (name: string, kind: number): { id: string; parent: string | undefined }[] =>
      spans
        .all()
        .filter((span) => span.name === name && span.kind === kind)
        .map((span) => ({ id: span.spanContext().spanId, parent: span.parentSpanContext?.spanId }));
    const servers = byName("parsec.lookup", 1);
    expect(servers).toHaveLength(2);
    expect(byName("query", 0)).toEqual([expect.objectContaining({ parent: servers[0]?.id })]);
    expect(b.pages.stats()).toMatchObject({ localLoads: 1, serverRequests: 2 });
  });

  it("makes no span of what memory or this node itself answers", async () => {
    const a = node("a", () => "page");
    node("b", () => "page");
    const [key = ""] = keysOf(a.peers, "a", 1);
    await a.pages.get(key);
    await a.pages.get(key);
    expect(spans.all()).toEqual([]);
  });

  it("says what an invalidation is about, but names neither keys nor tags", async () => {
    const a = node("a", () => "page");
    node("b", () => "page");
    const [key = ""] = keysOf(a.peers, "b", 1);
    await a.pages.invalidate(key);
    await a.pages.invalidateTag("secret-tag");
    await a.pages.invalidateAll();
    const about = [
      { "parsec.invalidation.kind": "keys", "parsec.invalidation.keys": 1 },
      { "parsec.invalidation.kind": "tag" },
      { "parsec.invalidation.kind": "all" },
    ];
    const summary = (attributes: object): object => ({
      name: "parsec.invalidate",
      attributes: { "group.name": "pages", ...attributes },
      failed: false,
    });
    // A tag and a whole group are told twice, see core's invalidation.ts; each telling has its span.
    expect(distinct(spans.of("CLIENT"))).toEqual(
      about.map((attributes) => summary({ ...attributes, "parsec.peer.id": "b" })),
    );
    expect(distinct(spans.of("SERVER"))).toEqual(about.map(summary));
  });

  it("keeps of an error its code alone", async () => {
    const a = node("a", () => "page");
    node("b", (key) => {
      throw new Error(`no row for ${key}`);
    });
    const [key = ""] = keysOf(a.peers, "b", 1);
    await expect(a.pages.get(key)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
    network.cut("a", "b");
    await expect(a.pages.get(key)).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    const failures = (kind: "CLIENT" | "SERVER"): unknown[] =>
      spans.of(kind).map(({ attributes, failed }) => [attributes["error.type"], failed]);
    expect(failures("SERVER")).toEqual([["ORIGIN_FAILED", true]]);
    expect(failures("CLIENT")).toEqual([
      ["ORIGIN_FAILED", true],
      ["PEER_UNREACHABLE", true],
    ]);
  });

  it("ends the spans of a caller who leaves, and calls that no fault", async () => {
    const a = node("a", () => "page");
    node(
      "b",
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    );
    const [key = ""] = keysOf(a.peers, "b", 1);
    const leaving = new AbortController();
    const asked = a.pages.get(key, { signal: leaving.signal });
    const left = expect(asked).rejects.toMatchObject({ code: "ABORTED" });
    await expect.poll(() => network.pendingCount).toBe(1);
    leaving.abort();
    await left;
    await expect.poll(() => spans.all().length).toBe(2);
    for (const { attributes, failed } of [...spans.of("CLIENT"), ...spans.of("SERVER")]) {
      expect([attributes["error.type"], failed]).toEqual(["ABORTED", false]);
    }
  });

  it("never lets a key, an input, a tag or a message into a span", async () => {
    const registries = ids.map((selfId) => {
      const peers = tracePeers(network.createPeers({ selfId, ids }), { tracer: spans.tracer });
      const registry = createDataSourceClusterRegistry({ peers });
      closing.push(() => registry.close());
      const users = registry.register(
        {
          name: "users",
          cacheKey: (input: { id: string; token: string }) => `secret-key-${input.id}`,
          fetch: async ({ id, token }) => {
            if (id === "0") throw new Error(`secret-message ${token}`);
            return { id };
          },
        },
        { tags: () => ["secret-tag"] },
      );
      return { users };
    });
    for (let id = 0; id < 20; id++) {
      const input = { id: String(id), token: "secret-token" };
      for (const { users } of registries) await users.get(input).catch(() => {});
      await registries[0]?.users.invalidate(input);
    }
    await registries[0]?.users.invalidateTag("secret-tag");
    expect(spans.all().length).toBeGreaterThan(40);
    for (const { name, attributes, events, status } of spans.all()) {
      expect(JSON.stringify({ name, attributes, events, status })).not.toContain("secret");
    }
  });

  it("is the same picker in all else", async () => {
    const picker = network.createPeers({ selfId: "a", ids });
    const traced = tracePeers(picker, { tracer: spans.tracer });
    expect(traced.selfId).toBe("a");
    expect(traced.peers().map(({ id }) => id)).toEqual(["b"]);
    expect(traced.pick(keysOf(picker, "b", 1)[0] ?? "")).toBe(traced.peers()[0]);
    expect(traced.pick(keysOf(picker, "a", 1)[0] ?? "")).toBeUndefined();
    expect(traced.peers()[0]).toBe(traced.peers()[0]);
    traced.updatePeers(["a", "c"]);
    expect(traced.peers().map(({ id }) => id)).toEqual(["c"]);
    await traced.close();
    await expect(
      traced.peers()[0]?.lookup({ group: "g", key: "k", input: undefined, fence: 0, timeoutMs: 9 }),
    ).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("loses nothing that pickers, peers and hosts can do beyond the contract", async () => {
    const picker = network.createPeers({ selfId: "a", ids });
    let attached: PeerHost | undefined;
    const more = {
      ...picker,
      handler: () => "handled",
      peers: () => picker.peers().map((peer) => Object.assign(peer, { handOver: () => peer.id })),
      attach(host: PeerHost) {
        attached = host;
      },
    };
    const traced = tracePeers(more, { tracer: spans.tracer });
    expect(traced.handler()).toBe("handled");
    expect(
      traced.peers().map((peer) => (peer as unknown as { handOver(): string }).handOver()),
    ).toEqual(["b"]);
    traced.attach(Object.assign(createScriptedHost(), { rejoined: () => "forgotten" }));
    expect((attached as unknown as { rejoined(): string }).rejoined()).toBe("forgotten");
    await picker.close();
  });

  it.each([
    ["a peer picker", {}, undefined],
    ["tracer", undefined, {}],
    ["tracer", undefined, undefined],
  ])("says that it wants %s", (wanted, picker, options) => {
    const given = wanted === "tracer" ? options : { tracer: spans.tracer };
    const traced = picker ?? network.createPeers({ selfId: "a", ids });
    expect(() => tracePeers(traced as never, given as never)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(wanted),
      }),
    );
  });
});
