import { fileURLToPath } from "node:url";
import {
  type Client,
  credentials,
  loadPackageDefinition,
  type Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { createGroupCache, ParsecError } from "@parsec/core";
import { keyFromBytes } from "@parsec/core/transport";
import { createScriptedHost } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { createGrpcPeers } from "../src/index.ts";
import { freePorts } from "./free-ports.ts";
import { until } from "./until.ts";

/* A client generated from the .proto files only, as in any other language. */

const proto = (path: string): string => fileURLToPath(new URL(`../proto/${path}`, import.meta.url));

interface Outcome {
  readonly error: ServiceError | null;
  readonly answer: Readonly<Record<string, unknown>> | undefined;
  readonly trailer: Metadata;
}

/** A client for one service, made by `proto-loader`. */
function clientOf(file: string, service: readonly string[], port: number) {
  const definition = loadPackageDefinition(
    loadSync(proto(file), { keepCase: true, enums: String, defaults: true }),
  );
  let found: unknown = definition;
  for (const name of service) found = (found as Record<string, unknown>)[name];
  const ServiceClient = found as new (address: string, creds: unknown) => Client;
  const client = new ServiceClient(`localhost:${port}`, credentials.createInsecure());
  cleanups.push(() => client.close());
  const methods = client as unknown as Record<
    string,
    (
      request: unknown,
      options: unknown,
      callback?: (error: ServiceError | null, answer?: Record<string, unknown>) => void,
    ) => { on(event: string, listener: (value: never) => void): void; cancel(): void }
  >;
  return {
    call(method: string, request: unknown, timeoutMs = 5000): Promise<Outcome> {
      return new Promise((resolve) => {
        const deadline = Date.now() + timeoutMs;
        let ended: Omit<Outcome, "trailer">;
        const call = methods[method]?.call(client, request, { deadline }, (error, answer) => {
          ended = { error, answer };
        });
        call?.on("status", (final: { readonly metadata: Metadata }) =>
          resolve({ ...ended, trailer: final.metadata }),
        );
      });
    },
    watch(method: string, request: unknown) {
      const answers: unknown[] = [];
      const call = methods[method]?.call(client, request, {});
      call?.on("data", (answer: never) => answers.push(answer));
      call?.on("error", () => {});
      cleanups.push(() => call?.cancel());
      return answers;
    },
  };
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startNode() {
  const [port = 0] = await freePorts(1);
  const selfUrl = `localhost:${port}`;
  const peers = createGrpcPeers({ selfUrl, peerUrls: [selfUrl], openLoopback: true });
  cleanups.push(() => peers.close());
  await peers.listen();
  const groupcache = clientOf(
    "groupcachepb/groupcache.proto",
    ["groupcachepb", "GroupCache"],
    port,
  );
  return {
    peers,
    groupcache,
    health: clientOf("grpc/health/v1/health.proto", ["grpc", "health", "v1", "Health"], port),
    get: (group: string, key: string | Uint8Array, timeoutMs?: number) =>
      groupcache.call("Get", { group, key: Buffer.from(key) }, timeoutMs),
  };
}

function trailerOf(outcome: Outcome, key: string): string | undefined {
  return outcome.trailer.get(key)[0]?.toString();
}

describe("groupcachepb.GroupCache/Get", () => {
  it("answers from a group", async () => {
    const { peers, get } = await startNode();
    const cache = createGroupCache({ peers });
    cleanups.push(() => cache.close());
    cache.group("users", { load: (key) => (key === "nobody" ? undefined : `user ${key}`) });
    const found = await get("users", "alice");
    expect(found.error).toBeNull();
    expect(String(found.answer?.value)).toBe("user alice");
    const unknownKey = await get("users", "nobody");
    expect([unknownKey.error?.code, trailerOf(unknownKey, "parsec-code")]).toEqual([
      status.NOT_FOUND,
      "NOT_FOUND",
    ]);
    const unknownGroup = await get("nothing", "alice");
    expect([unknownGroup.error?.code, trailerOf(unknownGroup, "parsec-code")]).toEqual([
      status.NOT_FOUND,
      "NO_SUCH_GROUP",
    ]);
    expect(unknownGroup.error?.details).not.toBe(unknownKey.error?.details);
  });

  it("accepts keys and returns values of any bytes", async () => {
    const { peers, get } = await startNode();
    const host = createScriptedHost();
    const value = Uint8Array.from({ length: 256 }, (_, index) => index);
    host.onLookup(() => ({ value, ttlMs: 1234.5, fence: 0, ratePerMinute: 7.5 }));
    peers.attach(host);
    for (const key of ["", "a b/..", "日本", Uint8Array.of(0xff, 0xfe), "k".repeat(10_000)]) {
      const outcome = await get("g", key);
      expect(outcome.answer).toMatchObject({ minute_qps: 7.5 });
      expect(Buffer.compare(outcome.answer?.value as Buffer, value)).toBe(0);
      expect(trailerOf(outcome, "parsec-ttl-ms")).toBe("1234");
      expect(host.lookups.at(-1)?.lookup.key).toBe(keyFromBytes(Buffer.from(key)));
    }
    host.onLookup(() => ({
      value: new Uint8Array(),
      ttlMs: Number.POSITIVE_INFINITY,
      fence: 0,
      ratePerMinute: 0,
    }));
    const empty = await get("g", "k");
    expect([empty.error, String(empty.answer?.value)]).toEqual([null, ""]);
    expect(trailerOf(empty, "parsec-ttl-ms")).toBeUndefined();
  });

  it.each([
    ["ORIGIN_FAILED", "INTERNAL"],
    ["CODEC_FAILED", "INTERNAL"],
    ["TIMEOUT", "DEADLINE_EXCEEDED"],
    ["INVALID_KEY", "INVALID_ARGUMENT"],
    ["KEY_TOO_LARGE", "INVALID_ARGUMENT"],
    ["VALUE_TOO_LARGE", "RESOURCE_EXHAUSTED"],
    ["OVERLOADED", "RESOURCE_EXHAUSTED"],
    ["CLOSED", "UNAVAILABLE"],
  ] as const)("reports %s as status %s", async (code, expected) => {
    const { peers, get } = await startNode();
    const host = createScriptedHost();
    host.onLookup(() => {
      throw new ParsecError(code, "the reason, \udcff included", {
        cause: new Error("password=hunter2"),
      });
    });
    peers.attach(host);
    const outcome = await get("g", "k");
    expect([status[outcome.error?.code ?? 0], trailerOf(outcome, "parsec-code")]).toEqual([
      expected,
      code,
    ]);
    expect(outcome.error?.details).toContain("the reason");
    expect(outcome.error?.details).not.toContain("hunter2");
  });

  it("observes the caller's deadline, and aborts the load when the caller cancels", async () => {
    const { peers, get } = await startNode();
    const host = createScriptedHost();
    host.onLookup(() => new Promise<never>(() => {}));
    peers.attach(host);
    const outcome = await get("g", "k", 50);
    expect(status[outcome.error?.code ?? 0]).toBe("DEADLINE_EXCEEDED");
    const asked = host.lookups[0];
    if (asked !== undefined) {
      expect(asked.lookup.timeoutMs).toBeLessThanOrEqual(50);
      await until(() => asked.signal?.aborted === true);
    }
  });

  it("fails for a key or group over its limit, and on a node without a cache", async () => {
    const { peers, get } = await startNode();
    const early = await get("g", "k");
    expect([early.error?.code, trailerOf(early, "parsec-code")]).toEqual([
      status.UNAVAILABLE,
      "CLOSED",
    ]);
    peers.attach(createScriptedHost());
    const longKey = await get("g", "k".repeat(70_000));
    expect(trailerOf(longKey, "parsec-code")).toBe("KEY_TOO_LARGE");
    const longGroup = await get("g".repeat(2000), "k");
    expect(trailerOf(longGroup, "parsec-code")).toBe("NO_SUCH_GROUP");
  });
});

describe("grpc.health.v1.Health", () => {
  it("answers Check and Watch", async () => {
    const { peers, health } = await startNode();
    const changes = health.watch("Watch", { service: "" });
    await until(() => changes.length === 1);
    peers.attach(createScriptedHost());
    await until(() => changes.length === 2);
    expect(changes).toEqual([{ status: "NOT_SERVING" }, { status: "SERVING" }]);
    const checked = await health.call("Check", { service: "readiness" });
    expect(checked.answer).toEqual({ status: "SERVING" });
    const unknown = await health.call("Check", { service: "nothing" });
    expect(unknown.error?.code).toBe(status.NOT_FOUND);
    const unknownChanges = health.watch("Watch", { service: "nothing" });
    await until(() => unknownChanges.length === 1);
    expect(unknownChanges).toEqual([{ status: "SERVICE_UNKNOWN" }]);
  });
});
