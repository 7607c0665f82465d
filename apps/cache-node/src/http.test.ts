import { request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ask, get, post, remove, set } from "../test/http-client.ts";
import { type NodeProgram, startNodeProgram } from "../test/node-program.ts";

let node: NodeProgram;
let url: string;
beforeAll(async () => {
  node = await startNodeProgram({ id: "alone", args: ["-nats", "none"] });
  url = node.url;
});
afterAll(async () => {
  expect(await node.leave()).toBe(0);
  // No request caused an error log, or appears in the log.
  expect(node.program.stderr()).toBe("");
  expect(node.program.stdout()).not.toMatch(/should not|"level":50|secret key/);
});

/** Sends raw bytes, and reads the response. */
async function sendRaw(bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(Buffer.from(bytes, "latin1"));
  return text(socket);
}

const refused = (status: number, code: string) => ({
  status,
  body: { error: expect.stringMatching(/./), code },
});

describe("the answers of the Go example", () => {
  test("set, get, delete", async () => {
    expect(await set(url, "user:1", "Alice")).toMatchObject({
      status: 200,
      body: { success: true, node: "alone" },
    });
    const found = await get(url, "user:1");
    expect(found.status).toBe(200);
    expect(found.body).toEqual({ found: true, value: "Alice", node: "alone" });
    expect(found.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(found.headers.get("cache-control")).toBe("no-store");
    const deleted = await remove(url, "user:1");
    expect(deleted).toMatchObject({ status: 200, body: { deleted: true, node: "alone" } });
    expect((await remove(url, "user:1")).body).toEqual({ deleted: false, node: "alone" });
    const missing = await get(url, "user:1");
    expect(missing.status).toBe(404);
    expect(missing.body).toEqual({ found: false, node: "alone" });
  });

  test("owner, with the partitions of go-cluster", async () => {
    expect((await ask(`${url}/owner?key=user:1`)).body).toEqual({
      key: "user:1",
      partition: 5,
      owner: "alone",
      is_local: true,
      this_node: "alone",
    });
    expect((await ask(`${url}/owner?key=user:12345`)).body).toMatchObject({ partition: 40 });
  });

  test("stats and health", async () => {
    await set(url, "stats:1", "x", 1000);
    const { body } = await ask(`${url}/stats`);
    expect(body).toEqual({
      node_id: "alone",
      entries: expect.any(Number),
      entries_with_ttl: 1,
      partitions: Array.from({ length: 64 }, (_, partition) => partition),
      partition_count: 64,
      total_expired_by_ttl: expect.any(Number),
      total_cleaned_by_release: 0,
      ring: {
        num_partitions: 64,
        num_nodes: 1,
        owned_partitions: 64,
        is_coordinator: true,
        is_rebalancing: false,
        partitions_by_node: { alone: 64 },
      },
    });
    await remove(url, "stats:1");
    expect(await ask(`${url}/health`)).toMatchObject({
      status: 200,
      body: { status: "ok", node: "alone" },
    });
    expect((await ask(`${url}/health/live`)).status).toBe(200);
  });

  test("ring and metrics", async () => {
    expect((await ask(`${url}/ring`)).body).toMatchObject({
      node: "alone",
      platform: "cache-platform",
      status: "active",
      partitions: 64,
      members: [{ id: "alone", present: true, owned: 64 }],
    });
    await set(url, "metrics:1", "x");
    const response = await fetch(`${url}/metrics`);
    const exposition = await response.text();
    expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
    for (const line of [
      /^gc_ring_partitions_owned\{[^}]*node="alone"[^}]*\} 64$/m,
      /^gc_ring_nodes_total\{.*\} 1$/m,
      /^gc_ring_rebalance_events_total\{type="owned",.*\} 64$/m,
      /^gc_rpc_duration_seconds_count\{.*method="set".*\} [1-9]/m,
      /^cache_operations_total\{operation="set",outcome="stored",.*\} [1-9]/m,
      /^cache_entries\{role="owner",.*\} [1-9]/m,
      /^cache_entries\{role="backup",.*\} 0$/m,
      /^process_cpu_seconds_total\{/m,
    ]) {
      expect(exposition).toMatch(line);
    }
  });
});

describe("values", () => {
  test("a value expires after its ttl in seconds; 0 or no ttl means no expiry", async () => {
    await set(url, "brief", "x", 1);
    await set(url, "long", "x", 0);
    expect((await get(url, "brief")).status).toBe(200);
    await expect.poll(async () => (await get(url, "brief")).status).toBe(404);
    expect((await remove(url, "brief")).body).toMatchObject({ deleted: false });
    expect((await get(url, "long")).status).toBe(200);
    const { body } = await ask(`${url}/stats`);
    expect((body as { total_expired_by_ttl: number }).total_expired_by_ttl).toBeGreaterThan(0);
  });

  test("a second write replaces value and lifetime", async () => {
    await set(url, "twice", "first", 1);
    await set(url, "twice", "second", 3_153_600_000);
    await set(url, "gone-first", "x", 1);
    await expect.poll(async () => (await get(url, "gone-first")).status).toBe(404);
    expect((await get(url, "twice")).body).toMatchObject({ value: "second" });
  });

  test("any string is returned unchanged, under any key", async () => {
    const unicode = fc.string({ unit: "binary", minLength: 1, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(unicode, fc.string({ unit: "binary" }), async (key, value) => {
        expect((await set(url, key, value)).status).toBe(200);
        expect((await get(url, key)).body).toMatchObject({ found: true, value });
        expect((await ask(`${url}/owner?key=${encodeURIComponent(key)}`)).body).toMatchObject({
          key,
        });
        expect((await remove(url, key)).body).toMatchObject({ deleted: true });
      }),
      {
        numRuns: 30,
        examples: [
          ["\0", "\0"],
          ["a b+c%2F&=#?/", ""],
          ["😀 e\u0301", "\ufeff😀\r\n"],
        ],
      },
    );
  });

  test("keys and values are accepted up to their limits, and refused beyond", async () => {
    const [key, value] = ["ü".repeat(512), "ü".repeat(512 * 1024)];
    expect((await set(url, key, value)).status).toBe(200);
    expect((await get(url, key)).body).toMatchObject({ value });
    expect((await remove(url, key)).status).toBe(200);
    expect(await set(url, `${key}.`, "x")).toMatchObject(refused(413, "KEY_TOO_LARGE"));
    expect(await get(url, `${key}.`)).toMatchObject(refused(413, "KEY_TOO_LARGE"));
    expect(await remove(url, `${key}.`)).toMatchObject(refused(413, "KEY_TOO_LARGE"));
    expect(await set(url, "k", `${value}.`)).toMatchObject(refused(413, "VALUE_TOO_LARGE"));
    // Written as \u0000, the largest value is six times as long.
    expect((await set(url, "k", "\0".repeat(1024 * 1024))).status).toBe(200);
    expect((await remove(url, "k")).status).toBe(200);
  });
});

describe("refused requests", () => {
  test.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["more than JSON", '{"key":"k","value":"v"} x'],
    ["no object", '["key","value"]'],
    ["null", "null"],
    ["no key", '{"value":"v"}'],
    ["no value", '{"key":"k"}'],
    ["an empty key", '{"key":"","value":"v"}'],
    ["a key that is not a string", '{"key":1,"value":"v"}'],
    ["a key that is null", '{"key":null,"value":"v"}'],
    ["a value that is not a string", '{"key":"k","value":{"a":1}}'],
    ["a value that is null", '{"key":"k","value":null}'],
    ["a ttl that is not a number", '{"key":"k","value":"v","ttl":"60"}'],
    ["a ttl that is null", '{"key":"k","value":"v","ttl":null}'],
    ["a negative ttl", '{"key":"k","value":"v","ttl":-1}'],
    ["a broken ttl", '{"key":"k","value":"v","ttl":0.5}'],
    ["a huge ttl", '{"key":"k","value":"v","ttl":3153600001}'],
    ["a ttl beyond all numbers", '{"key":"k","value":"v","ttl":1e999}'],
    ["an unknown field", '{"key":"k","value":"v","tll":1}'],
    ["a field of every object", '{"key":"k","value":"v","__proto__":{}}'],
    ["half a character in the key", '{"key":"\\ud800","value":"v"}'],
    ["half a character in the value", '{"key":"k","value":"\\udc00"}'],
  ])("POST /set with %s", async (_what, body) => {
    expect(await post(url, body)).toMatchObject(refused(400, "INVALID_ARGUMENT"));
  });

  test("POST /set with a body that is not UTF-8", async () => {
    const body = Buffer.concat([
      Buffer.from('{"key":"k","value":"'),
      Buffer.of(0xff),
      Buffer.from('"}'),
    ]);
    expect(await post(url, body)).toMatchObject(refused(400, "INVALID_ARGUMENT"));
  });

  test("POST /set with parameters in the URL", async () => {
    const init = {
      method: "POST",
      body: '{"key":"k","value":"v"}',
      headers: { "content-type": "application/json" },
    };
    expect(await ask(`${url}/set?ttl=5`, init)).toMatchObject(refused(400, "INVALID_ARGUMENT"));
  });

  test("other content types, and compressed bodies", async () => {
    const body = '{"key":"k","value":"v"}';
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"]) {
      const answer = await post(url, body, { "content-type": type });
      expect(answer).toMatchObject(refused(415, "UNSUPPORTED_MEDIA_TYPE"));
    }
    const latin = { "content-type": "application/json; charset=latin1" };
    expect(await post(url, body, latin)).toMatchObject(refused(415, "UNSUPPORTED_MEDIA_TYPE"));
    const zipped = gzipSync(body);
    const encoding = { "content-encoding": "gzip" };
    expect(await post(url, Uint8Array.from(zipped), encoding)).toMatchObject(
      refused(415, "UNSUPPORTED_MEDIA_TYPE"),
    );
    const explicit = { "content-type": "application/json; charset=UTF-8" };
    expect((await post(url, body, explicit)).status).toBe(200);
  });

  test.each([
    ["no key", ""],
    ["an empty key", "?key="],
    ["no value", "?key"],
    ["two keys", "?key=a&key=b"],
    ["another parameter", "?key=a&ttl=5"],
    ["a broken escape", "?key=%zz"],
    ["a cut escape", "?key=%4"],
    ["what is not UTF-8", "?key=%ff"],
    ["half a character", "?key=%ed%a0%80"],
  ])("%s in the URL", async (_what, query) => {
    const invalid = refused(400, "INVALID_ARGUMENT");
    expect(await ask(`${url}/get${query}`)).toMatchObject(invalid);
    expect(await ask(`${url}/owner${query}`)).toMatchObject(invalid);
    expect(await ask(`${url}/delete${query}`, { method: "DELETE" })).toMatchObject(invalid);
  });

  test("other methods are answered with the allowed ones", async () => {
    for (const [method, path, allow] of [
      ["GET", "/set", "POST"],
      ["PUT", "/set", "POST"],
      ["POST", "/get?key=a", "GET, HEAD"],
      ["GET", "/delete?key=a", "DELETE"],
      ["POST", "/stats", "GET, HEAD"],
      ["DELETE", "/health", "GET, HEAD"],
      ["OPTIONS", "/set", "POST"],
    ] as const) {
      const answer = await ask(url + path, { method });
      expect(answer).toMatchObject(refused(405, "METHOD_NOT_ALLOWED"));
      expect(answer.headers.get("allow")).toBe(allow);
    }
  });

  test("other paths", async () => {
    for (const path of ["/", "/sets", "/get/", "/SET", "/ring/0"]) {
      expect(await ask(url + path)).toMatchObject(refused(404, "NOT_FOUND"));
    }
    const bad = await sendRaw("GET /%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    expect(bad).toMatch(/^HTTP\/1\.1 400 .*"code":"INVALID_ARGUMENT"/s);
  });

  test("bodies too large, announced or not", async () => {
    const body = JSON.stringify({ key: "k", value: "v".repeat(9 * 1024 * 1024) });
    expect(await post(url, body)).toMatchObject(refused(413, "BODY_TOO_LARGE"));
    const status = await new Promise((resolve, reject) => {
      const sending = request(`${url}/set`, {
        method: "POST",
        headers: { "content-type": "application/json", "transfer-encoding": "chunked" },
      });
      sending.on("response", (response) => resolve(response.statusCode));
      sending.on("error", reject);
      sending.end(body);
    });
    expect(status).toBe(413);
  });

  test("malformed HTTP, and endless headers", async () => {
    expect(await sendRaw("hello\r\n\r\n")).toMatch(
      /^HTTP\/1\.1 400 Bad Request\r\n.*"code":"INVALID_ARGUMENT"/s,
    );
    const long = `GET /get?key=${"a".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`;
    expect(await sendRaw(long)).toMatch(/^HTTP\/1\.1 431 .*"code":"HEADERS_TOO_LARGE"/s);
    expect((await ask(`${url}/health`)).status).toBe(200);
  });
});

test("in a URL + stands for a space, and non-ASCII characters must be escaped", async () => {
  await set(url, "grün weiß", "yes");
  expect((await ask(`${url}/get?key=gr%C3%BCn+wei%c3%9f`)).body).toMatchObject({ value: "yes" });
  const raw = Buffer.from("GET /get?key=grün HTTP/1.1\r\nhost: x\r\n\r\n").toString("latin1");
  expect(await sendRaw(raw)).toMatch(/^HTTP\/1\.1 400 .*must be escaped/s);
});

test("HEAD has the same headers as GET, without a body", async () => {
  const response = await fetch(`${url}/get?key=nothing-there`, { method: "HEAD" });
  expect([response.status, await response.text()]).toEqual([404, ""]);
});

test("a full node refuses new values with the limit, and goes on serving", async () => {
  const small = await startNodeProgram({ id: "small", args: ["-nats", "none", "-max-mib", "1"] });
  onTestFinished(() => small.kill());
  const half = "x".repeat(500 * 1024);
  expect((await set(small.url, "a", half)).status).toBe(200);
  expect((await set(small.url, "b", half)).status).toBe(200);
  const full = await set(small.url, "c", half);
  expect(full).toMatchObject(refused(503, "OVERLOADED"));
  expect(full.body).toMatchObject({ error: expect.stringContaining("--max-mib") });
  expect((await get(small.url, "a")).body).toMatchObject({ value: half });
  expect((await set(small.url, "a", "short")).status).toBe(200);
  expect((await set(small.url, "c", half)).status).toBe(200);
  expect((await remove(small.url, "b")).body).toMatchObject({ deleted: true });
  expect((await set(small.url, "d", half)).status).toBe(200);
});
