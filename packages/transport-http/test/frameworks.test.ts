import http from "node:http";
import { createGroupCache, type GroupCache } from "@parsec/core";
import { decodeGetResponse, keyToBytes } from "@parsec/core/transport";
import express from "express";
import Fastify from "fastify";
import { afterEach, describe, expect, it } from "vitest";
import { createHttpPeers, type HttpPeers } from "../src/index.ts";
import { startServer, type TestServer } from "./http-cluster.ts";
import { type RawResponse, rawRequest } from "./raw-http.ts";

const limits = { maxValueBytes: 1000 };
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Mounted {
  readonly owner: HttpPeers;
  readonly server: TestServer;
  readonly cache: GroupCache;
  /** Looks `key` up on the mounted node, over frames. */
  fetch(key: string): Promise<string>;
  raw(method: string, path: string): Promise<RawResponse>;
}

/** A node to mount, and a second node that sends it requests under `basePath`. */
async function nodeToMount(basePath = "/_groupcache/"): Promise<Mounted> {
  const server = await startServer();
  const asking = await startServer();
  const peerUrls = [server.url, asking.url];
  const owner = createHttpPeers({ selfUrl: server.url, peerUrls, basePath, insecure: true });
  const client = createHttpPeers({ selfUrl: asking.url, peerUrls, basePath });
  const cache = createGroupCache({ peers: owner });
  cache.group("g", {
    load: (key) =>
      key.startsWith("\udcff")
        ? `key ${Buffer.from(keyToBytes(key)).toString("hex")}`
        : `value of ${key}`,
  });
  cleanups.push(
    () => server.close(),
    () => asking.close(),
    () => cache.close(),
    () => client.close(),
  );
  return {
    owner,
    server,
    cache,
    async fetch(key) {
      const lookup = { group: "g", key, input: undefined, fence: 0, timeoutMs: 2000 };
      const answer = await client.peers()[0]?.lookup(lookup);
      return Buffer.from(answer?.value ?? []).toString();
    },
    raw: (method, path) =>
      rawRequest(server.port, [
        `${method} ${path} HTTP/1.1`,
        "Host: localhost",
        "Content-Length: 0",
      ]),
  };
}

async function expectServed(mounted: Mounted, basePath = "/_groupcache/"): Promise<void> {
  expect(await mounted.fetch("a/b c")).toBe("value of a/b c");
  const got = await mounted.raw("GET", `${basePath}g/a%2Fb%20c`);
  expect(Buffer.from(decodeGetResponse(got.body, limits).value).toString()).toBe("value of a/b c");
  expect((await mounted.raw("GET", basePath)).status).toBe(204);
  expect((await mounted.raw("DELETE", basePath)).status).toBe(405);
}

describe("node:http", () => {
  it("runs the handler as its listener", async () => {
    const mounted = await nodeToMount();
    mounted.server.listener = http
      .createServer(mounted.owner.handler)
      .listeners("request")[0] as never;
    await expectServed(mounted);
    expect((await mounted.raw("GET", "/app")).status).toBe(404);
  });

  it("runs the handler in front of an application's listener", async () => {
    const mounted = await nodeToMount();
    mounted.server.listener = (request, response) =>
      mounted.owner.handler(request, response, () => {
        response.writeHead(200, { "content-length": 3 }).end("app");
      });
    await expectServed(mounted);
    expect((await mounted.raw("GET", "/app")).body.toString()).toBe("app");
  });
});

describe("Express", () => {
  it("runs the handler as middleware", async () => {
    const mounted = await nodeToMount();
    const app = express();
    app.use(mounted.owner.handler);
    app.use(express.json());
    app.get("/app", (_request, response) => void response.status(200).send("app"));
    mounted.server.listener = app;
    await expectServed(mounted);
    const own = await mounted.raw("GET", "/app");
    expect([own.status, own.body.toString()]).toEqual([200, "app"]);
    expect((await mounted.raw("GET", "/nothing")).status).toBe(404);
  });

  it("runs the handler under a mount path, and behind a body parser for other types", async () => {
    const mounted = await nodeToMount("/internal/cache/");
    const app = express();
    app.use(express.json());
    app.use("/internal/cache", mounted.owner.handler);
    mounted.server.listener = app;
    await expectServed(mounted, "/internal/cache/");
  });

  it("gets an error, and does not hang, when a body parser has read the frame", async () => {
    const mounted = await nodeToMount();
    const app = express();
    app.use(express.raw({ type: "*/*" }));
    app.use(mounted.owner.handler);
    mounted.server.listener = app;
    await expect(mounted.fetch("k")).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
      message: expect.stringMatching(/500 .*mount the peers' handler before any body parser/),
    });
  });

  it("preserves keys that are not UTF-8", async () => {
    const mounted = await nodeToMount();
    const app = express();
    app.use(mounted.owner.handler);
    mounted.server.listener = app;
    const got = await mounted.raw("GET", "/_groupcache/g/%ff%fe");
    expect(got.status).toBe(200);
    expect(decodeGetResponse(got.body, limits).value).toEqual(Buffer.from("key fffe"));
  });
});

describe("Fastify", () => {
  it("runs the handler in front of its router", async () => {
    const mounted = await nodeToMount();
    const app = Fastify({
      serverFactory: (listener) => {
        mounted.server.listener = (request, response) =>
          mounted.owner.handler(request, response, () => listener(request, response));
        return mounted.server.server;
      },
    });
    app.get("/app", () => "app");
    await app.ready();
    await expectServed(mounted);
    expect((await mounted.raw("GET", "/app")).body.toString()).toBe("app");
    // Fastify's router rejects such a path, so it must not see this one.
    expect((await mounted.raw("GET", "/_groupcache/g/%ff%fe")).status).toBe(200);
    expect((await mounted.raw("GET", "/app/%ff%fe")).status).toBe(400);
  });

  it("runs the handler as a route without body parsers", async () => {
    const mounted = await nodeToMount();
    const app = Fastify({
      serverFactory: (listener) => {
        mounted.server.listener = listener;
        return mounted.server.server;
      },
    });
    app.post("/app", (request) => request.body);
    await app.register(async (peerRoutes) => {
      peerRoutes.removeAllContentTypeParsers();
      peerRoutes.addContentTypeParser("*", (_request, _payload, done) => done(null));
      peerRoutes.all("/_groupcache/*", (request, reply) => {
        reply.hijack();
        mounted.owner.handler(request.raw, reply.raw);
      });
    });
    await app.ready();
    await expectServed(mounted);
    const posted = await rawRequest(
      mounted.server.port,
      [
        "POST /app HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        "Content-Length: 7",
      ],
      Buffer.from('{"a":1}'),
    );
    expect(posted.body.toString()).toBe('{"a":1}');
  });
});
