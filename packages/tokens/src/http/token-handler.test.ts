import { once } from "node:events";
import { connect } from "node:net";
import { createDataSourceRegistry, ParsecError } from "@parsec/core";
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { afterEach, describe, expect, test } from "vitest";
import { fixtureAudience } from "../../test/fixture-issuer.ts";
import {
  grantType,
  jwtType,
  startTokenServer,
  type TokenServer,
  urn,
} from "../../test/token-server.ts";
import type { ClaimMapper } from "../claims/claim-mapper.ts";
import { subjectCacheKey, type TokenDataSource } from "../sources/token-data-source.ts";
import { createTrustStore } from "../trust/trust-store.ts";

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function start(options: Parameters<typeof startTokenServer>[0] = {}): Promise<TokenServer> {
  const server = await startTokenServer(options);
  opened.push(server);
  return server;
}

async function request(
  server: TokenServer,
  change: Record<string, string> = {},
  claims: Parameters<TokenServer["idp"]["mint"]>[0] = {},
): Promise<Response> {
  return server.post({
    grant_type: grantType,
    subject_token: await server.idp.mint(claims),
    subject_token_type: jwtType,
    ...change,
  });
}

interface TokenBody {
  access_token: string;
  issued_token_type: string;
  token_type: string;
  expires_in: number;
  scope?: string;
}

async function exchange(...args: Parameters<typeof request>): Promise<TokenBody> {
  const response = await request(...args);
  expect(response.status).toBe(200);
  return (await response.json()) as TokenBody;
}

describe("a token", () => {
  test("comes as RFC 8693 says and verifies against the published keys", async () => {
    const server = await start();
    const response = await request(server);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("pragma")).toBe("no-cache");
    const body = (await response.json()) as TokenBody;
    expect(body).toEqual({
      access_token: expect.any(String) as string,
      issued_token_type: `${urn}:token-type:access_token`,
      token_type: "Bearer",
      expires_in: 300,
    });
    const { payload, protectedHeader } = await jwtVerify(
      body.access_token,
      createRemoteJWKSet(new URL(`${server.url}/v1/jwks.json`)),
      { issuer: server.issuer, audience: "https://api.example", typ: "at+jwt" },
    );
    expect(protectedHeader.alg).toBe("ES256");
    expect(payload).toEqual({
      iss: server.issuer,
      sub: "alice",
      aud: "https://api.example",
      iat: expect.any(Number) as number,
      exp: (payload.iat ?? 0) + 300,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
  });

  test("carries the scope it was given: all by default, less on request, never more", async () => {
    const server = await start();
    const scope = "read write";
    const all = await exchange(server, {}, { scope });
    expect(all.scope).toBe("read write");
    expect(decodeJwt(all.access_token).scope).toBe("read write");
    const less = await exchange(server, { scope: "read" }, { scope });
    expect(less.scope).toBeUndefined();
    expect(decodeJwt(less.access_token).scope).toBe("read");
    for (const held of [scope, undefined]) {
      const more = await request(server, { scope: "read admin" }, held ? { scope: held } : {});
      expect(more.status).toBe(400);
      expect(await more.json()).toMatchObject({ error: "invalid_scope" });
    }
    const entra = await exchange(server, { scope: "read" }, { scp: "read write" });
    expect(decodeJwt(entra.access_token).scope).toBe("read");
  });

  test("is for whom it was asked, if that is allowed", async () => {
    const server = await start();
    const form = new URLSearchParams({
      grant_type: grantType,
      subject_token: await server.idp.mint(),
      subject_token_type: jwtType,
      audience: "reports",
      resource: "https://api.example",
    });
    const both = (await (await server.post(form.toString())).json()) as TokenBody;
    expect(decodeJwt(both.access_token).aud).toEqual(["reports", "https://api.example"]);
    const other = await request(server, { audience: "somewhere" });
    expect(other.status).toBe(400);
    expect(await other.json()).toMatchObject({ error: "invalid_target" });
  });

  test("of type JWT says so", async () => {
    const server = await start();
    const body = await exchange(server, { requested_token_type: jwtType });
    expect(body.issued_token_type).toBe(jwtType);
    expect(decodeProtectedHeader(body.access_token).typ).toBe("JWT");
  });

  test("does not outlive its subject token or the configured time", async () => {
    const server = await start({ ttlMs: 60_000 });
    expect((await exchange(server)).expires_in).toBe(60);
    const soon = Math.floor(Date.now() / 1000) + 20;
    const body = await exchange(server, {}, { exp: soon });
    // The clock tolerance of five seconds counts for both.
    expect(decodeJwt(body.access_token).exp).toBeLessThanOrEqual(soon + 5);
  });

  test("is refused when the subject token ends while its claims are fetched", async () => {
    let now = Date.now();
    const exp = Math.floor(now / 1000) + 60;
    const slow: ClaimMapper = {
      name: "slow",
      map: () => {
        now = exp * 1000 + 4_000;
        return {};
      },
    };
    const server = await start({ claimMappers: [slow], now: () => now });
    const response = await request(server, {}, { exp });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: "invalid_request" });
  });

  test("names the client that asked and the actor, with the chain before it", async () => {
    const server = await start();
    const body = await exchange(
      server,
      {
        client_id: "gateway",
        actor_token: await server.idp.mint({ sub: "bot" }),
        actor_token_type: jwtType,
      },
      { act: { sub: "earlier" } },
    );
    expect(decodeJwt(body.access_token)).toMatchObject({
      client_id: "gateway",
      act: { sub: "bot", iss: server.idp.issuer, act: { sub: "earlier" } },
    });
    expect(decodeJwt((await exchange(server, {}, { act: { sub: "x" } })).access_token).act).toEqual(
      {
        sub: "x",
      },
    );
  });

  test("goes only to the actor the subject has named", async () => {
    const server = await start();
    const act = async (sub: string, mayAct: unknown): Promise<number> => {
      const actor = { actor_token: await server.idp.mint({ sub }), actor_token_type: jwtType };
      return (await request(server, actor, { may_act: mayAct })).status;
    };
    expect(await act("bot", { sub: "bot" })).toBe(200);
    expect(await act("thief", { sub: "bot" })).toBe(400);
    expect(await act("bot", { sub: "bot", iss: "https://elsewhere.example" })).toBe(400);
    expect(await act("bot", "bot")).toBe(400);
  });
});

describe("claims from data sources", () => {
  const roles: ClaimMapper = {
    name: "roles",
    dataSources: ["users"],
    map: async ({ dataSource }) => ({ ...(await dataSource<object>("users")) }),
  };

  async function withUsers(fetch: TokenDataSource<object>["fetch"]): Promise<TokenServer> {
    const dataSources = createDataSourceRegistry();
    opened.push(dataSources);
    dataSources.register({ name: "users", cacheKey: subjectCacheKey, fetch });
    return start({ dataSources, claimMappers: [roles], timeoutMs: 200 });
  }

  test("reach the token, fetched once", async () => {
    let fetches = 0;
    const server = await withUsers(async () => {
      fetches += 1;
      return { roles: ["admin"] };
    });
    await Promise.all(Array.from({ length: 10 }, () => exchange(server)));
    const { access_token: token } = await exchange(server);
    expect(decodeJwt(token).roles).toEqual(["admin"]);
    expect(fetches).toBe(1);
  });

  test("that fail, hang or break the rules: 503 or 500, and nothing of the inside", async () => {
    const secret = "password=hunter2";
    const failing = await withUsers(async () => {
      throw new Error(secret);
    });
    const hanging = await withUsers(() => new Promise(() => {}));
    for (const server of [failing, hanging]) {
      const response = await request(server);
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("1");
      expect(response.headers.get("cache-control")).toBe("no-store");
      const text = await response.text();
      expect(JSON.parse(text)).toMatchObject({ error: "temporarily_unavailable" });
      expect(text).not.toContain("hunter2");
      expect(server.events.at(-1)?.outcome).toBe("temporarily_unavailable");
    }
    const greedy = await withUsers(async () => ({ sub: "root" }));
    const response = await request(greedy);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      error: "server_error",
      error_description: "the request could not be handled",
    });
    expect(greedy.events.at(-1)?.error?.cause).toBeInstanceOf(ParsecError);
  });

  test("that nobody registered are found before the first request", async () => {
    await expect(start({ claimMappers: [roles] })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});

describe("bad requests", () => {
  test("a bad subject token is invalid_request, and the log has no token", async () => {
    const server = await start();
    for (const subject_token of ["x.y.z", await server.idp.mint({ aud: "other" })]) {
      const response = await request(server, { subject_token });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        error: "invalid_request",
        error_description: expect.stringMatching(
          /^subject_token: the token is not accepted/,
        ) as string,
      });
      expect(server.events.at(-1)?.error?.message).not.toContain(subject_token);
    }
    const actor = { actor_token: "x.y.z", actor_token_type: jwtType };
    expect(await (await request(server, actor)).json()).toMatchObject({ error: "invalid_request" });
  });

  test("keys of the identity provider out of reach: 503, not the client's fault", async () => {
    // Port 9 (discard) has no listener on any test machine.
    const issuer = "http://127.0.0.1:9";
    const trust = createTrustStore({ issuers: [{ issuer, audience: fixtureAudience }] });
    opened.push(trust);
    const server = await start({ trust });
    const response = await request(server, {}, { iss: issuer });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: "temporarily_unavailable" });
  });

  test.each([
    ["JSON", "application/json", "{}"],
    ["no type", "", "grant_type=x"],
    ["another charset", "application/x-www-form-urlencoded; charset=latin1", "grant_type=x"],
    ["multipart", "multipart/form-data; boundary=x", "--x--"],
  ])("%s is no form", async (_name, type, body) => {
    const server = await start();
    const response = await server.post("", {
      headers: { "content-type": type },
      body: Buffer.from(body),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: "invalid_request" });
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  test("charset=UTF-8 in any spelling is fine", async () => {
    const server = await start();
    for (const charset of ["UTF-8", '"utf-8"', "utf8"]) {
      const response = await server.post("grant_type=x", {
        headers: { "content-type": `application/x-www-form-urlencoded;charset=${charset}` },
      });
      expect(await response.json()).toMatchObject({ error: "unsupported_grant_type" });
    }
  });

  test("bytes that are no UTF-8, and a compressed body", async () => {
    const server = await start();
    const type = { "content-type": "application/x-www-form-urlencoded" };
    for (const init of [
      { headers: type, body: Buffer.from([0x61, 0x3d, 0xff]) },
      { headers: { ...type, "content-encoding": "gzip" }, body: "x" },
    ]) {
      const response = await server.post("", init);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: "invalid_request" });
    }
  });

  test("a body beyond the limit: 413, announced or not", async () => {
    const server = await start({ http: { maxBodyBytes: 1_024 } });
    const announced = await server.post("x".repeat(2_000));
    expect(announced.status).toBe(413);
    expect(announced.headers.get("connection")).toBe("close");
    expect(await announced.json()).toMatchObject({ error: "invalid_request" });
    const stream = new ReadableStream({
      pull(controller) {
        controller.enqueue(Buffer.alloc(500, "x"));
      },
    });
    const init = { body: stream, duplex: "half" } as RequestInit;
    const streamed = await server.post("", init).catch(() => undefined);
    // The endless upload is cut; a client sees either the refusal or the cut.
    expect(streamed?.status ?? 413).toBe(413);
    expect((await request(server)).status).toBe(200);
  });

  test("a client that leaves in the middle of its body harms nobody", async () => {
    const server = await start();
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    await once(socket, "connect");
    socket.write(
      "POST /v1/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n" +
        "content-length: 100\r\n\r\ngrant_type=",
    );
    socket.destroy();
    await expect.poll(() => server.events.at(-1)?.outcome).toBe("abandoned");
    expect((await request(server)).status).toBe(200);
  });

  test.each([
    ["GET", "/v1/token", "POST"],
    ["PUT", "/v1/token", "POST"],
    ["POST", "/v1/jwks.json", "GET, HEAD"],
    ["DELETE", "/.well-known/oauth-authorization-server", "GET, HEAD"],
  ])("%s %s: 405 with Allow", async (method, path, allow) => {
    const server = await start();
    const response = await fetch(server.url + path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe(allow);
  });

  test("other paths: 404 in JSON", async () => {
    const server = await start();
    for (const path of ["/", "/v1/tokens", "/v1/token/", "/.well-known/nothing", "//v1/token"]) {
      const response = await fetch(server.url + path);
      expect(response.status).toBe(404);
      expect(response.headers.get("content-type")).toBe("application/json");
    }
  });

  test("clients that fail to authenticate: 401, and a challenge to those who used the header", async () => {
    const server = await start({ clients: [{ id: "billing", secret: "s3cret" }] });
    const inBody = await request(server, { client_id: "billing", client_secret: "wrong" });
    expect(inBody.status).toBe(401);
    expect(inBody.headers.has("www-authenticate")).toBe(false);
    expect(await inBody.json()).toMatchObject({ error: "invalid_client" });
    const inHeader = await server.post("grant_type=x", {
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        authorization: `Basic ${Buffer.from("billing:wrong").toString("base64")}`,
      },
    });
    expect(inHeader.status).toBe(401);
    expect(inHeader.headers.get("www-authenticate")).toMatch(/^Basic realm=/);
    expect(await inHeader.json()).toMatchObject({ error: "invalid_client" });
  });
});

describe("documents", () => {
  test("the key set can be kept for a while and asked for again cheaply", async () => {
    const server = await start();
    for (const path of ["/v1/jwks.json", "/.well-known/jwks.json", "/v1/jwks.json?x=1"]) {
      const response = await fetch(server.url + path);
      expect(response.headers.get("cache-control")).toBe("public, max-age=300");
      const { keys } = (await response.json()) as { keys: Record<string, unknown>[] };
      expect(keys.length).toBeGreaterThan(0);
      expect(keys.every((key) => !("d" in key) && key.use === "sig")).toBe(true);
      const etag = response.headers.get("etag") ?? "";
      for (const tag of [etag, `W/${etag}`, `"old", ${etag}`, "*"]) {
        const again = await fetch(server.url + path, { headers: { "if-none-match": tag } });
        expect(again.status).toBe(304);
      }
      const other = await fetch(server.url + path, { headers: { "if-none-match": '"old"' } });
      expect(other.status).toBe(200);
    }
    const head = await fetch(`${server.url}/v1/jwks.json`, { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
  });

  test("a rotation shows in the key set before it shows in a token", async () => {
    let now = Date.UTC(2030, 0, 1, 0, 30);
    const keys = (await import("../keys/derived-key-source.ts")).createDerivedKeySource({
      secret: "0123456789abcdef0123456789abcdef",
      issuer: "x",
      rotateEveryMs: 3_600_000,
      maxTokenTtlMs: 600_000,
    });
    const server = await start({ keys, now: () => now });
    const kids = async (): Promise<unknown[]> => {
      const response = await fetch(`${server.url}/v1/jwks.json`);
      return ((await response.json()) as { keys: { kid: unknown }[] }).keys.map((key) => key.kid);
    };
    const before = await kids();
    now += 25 * 60_000;
    const during = await kids();
    expect(during).toHaveLength(2);
    expect(during[0]).toBe(before[0]);
    now += 5 * 60_000;
    expect(keys.keysAt(now).signing.kid).toBe(during[1]);
  });

  test("metadata of an issuer with a path is found both ways", async () => {
    const server = await start({ issuerPath: "/tenant" });
    for (const path of [
      "/.well-known/oauth-authorization-server/tenant",
      "/tenant/.well-known/openid-configuration",
    ]) {
      const response = await fetch(server.url + path);
      expect(await response.json()).toEqual({
        issuer: `${server.url}/tenant`,
        token_endpoint: `${server.url}/tenant/v1/token`,
        jwks_uri: `${server.url}/tenant/v1/jwks.json`,
        grant_types_supported: [grantType],
        token_endpoint_auth_methods_supported: ["none"],
      });
    }
    expect((await request(server)).status).toBe(200);
  });
});

test.each([
  [{ issuer: "no url" }, /issuer/],
  [{ issuer: "https://x.example/?a" }, /issuer/],
  [{ issuer: "https://x.example/#" }, /issuer/],
  [{ audiences: [] }, /audiences/],
  [{ ttlMs: 3_600_001 }, /ttlMs must be a number from 1000 to 3600000/],
  [{ timeoutMs: 0 }, /timeoutMs/],
  [{ http: { maxBodyBytes: 1 } }, /maxBodyBytes/],
  [{ http: { retryAfterSeconds: Number.NaN } }, /retryAfterSeconds/],
])("refuses the options %j", async (options, message) => {
  await expect(start(options)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(message) as string,
  });
});
