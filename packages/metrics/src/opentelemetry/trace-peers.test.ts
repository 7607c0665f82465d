import { context, type Span, trace } from "@opentelemetry/api";
import {
  createDataSourceClusterRegistry,
  createGroupCache,
  ParsecError,
  type Peer,
  type PeerAnswer,
  type PeerHost,
  type PeerInvalidation,
  type PeerLookup,
  type PeerPicker,
} from "@parsec/core";
import {
  createMemoryNetwork,
  createScriptedHost,
  type MemoryNetwork,
  type ScriptedHost,
} from "@parsec/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RecordedSpans, recordSpans } from "../../test/recorded-spans.ts";
import { tracePeers } from "./trace-peers.ts";

const ids = ["a", "b"];
const lookup: PeerLookup = {
  group: "pages",
  key: "secret-key",
  input: Buffer.from("secret-input"),
  fence: 0,
  timeoutMs: 4000,
};
const page: PeerAnswer = { value: Buffer.from("page"), ttlMs: 0, fence: 0, ratePerMinute: 0 };
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

/** A traced picker of the in-memory network. */
function join(selfId: string): PeerPicker {
  const peers = tracePeers(network.createPeers({ selfId, ids }), { tracer: spans.tracer });
  closing.push(() => peers.close());
  return peers;
}

/** Node a's peer for node b, and the host of node b. */
function peerAndHost(): { peer: Peer; host: ScriptedHost } {
  const host = createScriptedHost();
  join("b").attach(host);
  const [peer] = join("a").peers();
  if (peer === undefined) throw new Error("node a has no peer");
  return { peer, host };
}

function keyOf(peers: PeerPicker, owner: string): string {
  for (let n = 0; ; n++) {
    const key = `secret-${n}`;
    if ((peers.pick(key)?.id ?? peers.selfId) === owner) return key;
  }
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
  it("creates a client span for a lookup, as a child of the caller's, and a server span at the owner", async () => {
    const { peer, host } = peerAndHost();
    host.onLookup(() => page);
    const caller = await withSpan("request", async (span) => {
      expect(await peer.lookup(lookup)).toMatchObject({ ttlMs: 0 });
      return span.spanContext();
    });
    const attributes = { "group.name": "pages", "parsec.found": true, "parsec.value.bytes": 4 };
    expect(spans.of("CLIENT")).toEqual([
      {
        name: "parsec.lookup",
        attributes: { ...attributes, "parsec.peer.id": "b" },
        failed: false,
      },
    ]);
    expect(spans.of("SERVER")).toEqual([{ name: "parsec.lookup", attributes, failed: false }]);
    const client = spans.all().find(({ attributes }) => "parsec.peer.id" in attributes);
    expect(client?.parentSpanContext?.spanId).toBe(caller.spanId);
    expect(client?.spanContext().traceId).toBe(caller.traceId);
  });

  it("makes the client's span the parent of the owner's, in one trace", async () => {
    const { peer } = peerAndHost();
    await peer.lookup(lookup);
    await peer.invalidate(
      { group: "pages", target: { kind: "all" }, fence: 1 },
      { timeoutMs: 4000 },
    );
    const [answered, lookedUp, applied, invalidated] = spans.all();
    for (const [server, client] of [
      [answered, lookedUp],
      [applied, invalidated],
    ]) {
      const { traceId, spanId } = client?.spanContext() ?? {};
      expect(server?.parentSpanContext).toMatchObject({ traceId, spanId, isRemote: true });
      // In the in-memory network the client's span is also the active one at the owner.
      expect(server?.links).toEqual([]);
    }
    expect(spans.of("SERVER")[0]?.attributes["parsec.found"]).toBe(false);
  });

  it("links the active span, without a parent, when the client does not trace", async () => {
    join("b").attach(createScriptedHost());
    const untraced = network.createPeers({ selfId: "a", ids });
    closing.push(() => untraced.close());
    const [peer] = untraced.peers();
    const connection = await withSpan("connection", async (span) => {
      await peer?.lookup(lookup);
      await peer?.lookup({ ...lookup, trace: { traceparent: "nonsense", tracestate: "v=1" } });
      return span.spanContext();
    });
    const servers = spans.all().slice(0, 2);
    expect(servers).toHaveLength(2);
    for (const { parentSpanContext, links } of servers) {
      expect(parentSpanContext).toBeUndefined();
      expect(links.map((link) => link.context.spanId)).toEqual([connection.spanId]);
    }
  });

  it("changes no call without an SDK", async () => {
    const host = createScriptedHost();
    join("b").attach(host);
    const peers = tracePeers(network.createPeers({ selfId: "a", ids }), {
      tracer: trace.getTracer("none"),
    });
    closing.push(() => peers.close());
    const given = { traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`, tracestate: "v=1" };
    await peers.peers()[0]?.lookup(lookup);
    await peers.peers()[0]?.lookup({ ...lookup, trace: given });
    expect(host.lookups.map((one) => one.lookup.trace)).toEqual([undefined, given]);
  });

  it("makes the owner's spans children of the server span", async () => {
    const { peer, host } = peerAndHost();
    host.onLookup(() => withSpan("query", async () => page));
    await peer.lookup(lookup);
    const [query, server] = spans.all();
    expect(query?.name).toBe("query");
    expect(query?.parentSpanContext?.spanId).toBe(server?.spanContext().spanId);
  });

  it("creates no span for hits in local memory", async () => {
    const a = join("a");
    const caches = [createGroupCache({ peers: a }), createGroupCache({ peers: join("b") })];
    closing.unshift(...caches.map((cache) => () => cache.close()));
    const [pages] = caches.map((cache) => cache.group("pages", { load: () => "page" }));
    const keys = [keyOf(a, "a"), keyOf(a, "b")];
    await pages?.getMany(keys);
    const before = spans.all().length;
    expect(before).toBeGreaterThanOrEqual(2);
    await pages?.get(keys[0] ?? "");
    expect(spans.all()).toHaveLength(before);
  });

  it("records the kind of an invalidation, but neither keys nor tags", async () => {
    const { peer, host } = peerAndHost();
    const targets: PeerInvalidation["target"][] = [
      { kind: "keys", keys: ["secret-1", "secret-2"] },
      { kind: "tag", tag: "secret-tag" },
      { kind: "all" },
    ];
    for (const target of targets) {
      await peer.invalidate({ group: "pages", target, fence: 1 }, { timeoutMs: 4000 });
    }
    expect(host.invalidations).toHaveLength(3);
    const about = [
      { "parsec.invalidation.kind": "keys", "parsec.invalidation.keys": 2 },
      { "parsec.invalidation.kind": "tag" },
      { "parsec.invalidation.kind": "all" },
    ];
    const summary = (attributes: object): object => ({
      name: "parsec.invalidate",
      attributes: { "group.name": "pages", ...attributes },
      failed: false,
    });
    expect(spans.of("CLIENT")).toEqual(
      about.map((attributes) => summary({ ...attributes, "parsec.peer.id": "b" })),
    );
    expect(spans.of("SERVER")).toEqual(about.map(summary));
  });

  it("records only the code of an error, thrown or rejected, ParsecError or not", async () => {
    const { peer, host } = peerAndHost();
    const fails = async (code: string): Promise<void> => {
      await expect(peer.lookup(lookup)).rejects.toMatchObject({ code });
    };
    host.onLookup(async () => {
      throw new ParsecError("ORIGIN_FAILED", "no row for secret-key");
    });
    await fails("ORIGIN_FAILED");
    host.onLookup(() => {
      throw new ParsecError("NO_SUCH_GROUP", "no such group: secret");
    });
    await fails("NO_SUCH_GROUP");
    host.onLookup(() => {
      throw new TypeError("secret");
    });
    await fails("PEER_UNREACHABLE");
    network.cut("a", "b");
    await fails("PEER_UNREACHABLE");
    const failures = (kind: "CLIENT" | "SERVER"): unknown[] =>
      spans.of(kind).map(({ attributes, failed }) => [attributes["error.type"], failed]);
    expect(failures("SERVER")).toEqual([
      ["ORIGIN_FAILED", true],
      ["NO_SUCH_GROUP", true],
      ["_OTHER", true],
    ]);
    expect(failures("CLIENT")).toEqual([
      ["ORIGIN_FAILED", true],
      ["NO_SUCH_GROUP", true],
      ["PEER_UNREACHABLE", true],
      ["PEER_UNREACHABLE", true],
    ]);
  });

  it("ends the spans of an aborted call without error status", async () => {
    const { peer, host } = peerAndHost();
    const arrived = new Promise<void>((resolve) => {
      host.onLookup((_, { signal }) => {
        resolve();
        return new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => reject(new ParsecError("ABORTED", "left")));
        });
      });
    });
    const leaving = new AbortController();
    const left = expect(peer.lookup(lookup, { signal: leaving.signal })).rejects.toMatchObject({
      code: "ABORTED",
    });
    await arrived;
    leaving.abort();
    await left;
    await expect.poll(() => spans.all().length).toBe(2);
    for (const { attributes, failed } of [...spans.of("CLIENT"), ...spans.of("SERVER")]) {
      expect([attributes["error.type"], failed]).toEqual(["ABORTED", false]);
    }
  });

  it("never records a key, an input, a tag or a message", async () => {
    const registries = ids.map((selfId) => {
      const registry = createDataSourceClusterRegistry({ peers: join(selfId) });
      closing.unshift(() => registry.close());
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

  it("passes all other members of the picker through", async () => {
    const picker = network.createPeers({ selfId: "a", ids });
    const traced = tracePeers(picker, { tracer: spans.tracer });
    expect(traced.selfId).toBe("a");
    expect(traced.peers().map(({ id }) => id)).toEqual(["b"]);
    expect(traced.pick(keyOf(picker, "b"))).toBe(traced.peers()[0]);
    expect(traced.pick(keyOf(picker, "a"))).toBeUndefined();
    expect(traced.peers()[0]).toBe(traced.peers()[0]);
    traced.updatePeers(["a", "c"]);
    expect(traced.peers().map(({ id }) => id)).toEqual(["c"]);
    await traced.close();
    await expect(traced.peers()[0]?.lookup(lookup)).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("keeps members of pickers, peers and hosts beyond the contract", async () => {
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
  ])("rejects an invalid argument and names %s", (wanted, picker, options) => {
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
