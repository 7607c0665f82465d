import { createDataSourceRegistry, ParsecError } from "@parsec/core";
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { afterEach, describe, expect, test } from "vitest";
import {
  grantType,
  jwtType,
  startTokenServer,
  type TokenServer,
  urn,
} from "../../test/token-server.ts";
import type { ClaimMapper } from "../claims/claim-mapper.ts";
import { subjectCacheKey, type TokenDataSource } from "../sources/token-data-source.ts";

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function start(options: Parameters<typeof startTokenServer>[0] = {}): Promise<TokenServer> {
  const server = await startTokenServer(options);
  opened.push(server);
  return server;
}

interface TokenBody {
  access_token: string;
  issued_token_type: string;
  token_type: string;
  expires_in: number;
  scope?: string;
}

async function exchange(
  server: TokenServer,
  ...args: Parameters<TokenServer["ask"]>
): Promise<TokenBody> {
  const response = await server.ask(...args);
  expect(response.status).toBe(200);
  return (await response.json()) as TokenBody;
}

describe("an issued token", () => {
  test("has the response of RFC 8693 and verifies with the published keys", async () => {
    const server = await start();
    const response = await server.ask();
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
      { issuer: server.issuer, audience: "https://api.example", typ: "JWT" },
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

  test("has the scope of the subject token, or less on request, but never more", async () => {
    const server = await start();
    const scope = "read write";
    const all = await exchange(server, {}, { scope });
    expect(all.scope).toBe("read write");
    expect(decodeJwt(all.access_token).scope).toBe("read write");
    const less = await exchange(server, { scope: "read" }, { scope });
    expect(less.scope).toBeUndefined();
    expect(decodeJwt(less.access_token).scope).toBe("read");
    for (const held of [scope, undefined]) {
      const more = await server.ask({ scope: "read admin" }, held ? { scope: held } : {});
      expect(more.status).toBe(400);
      expect(await more.json()).toMatchObject({ error: "invalid_scope" });
    }
    const entra = await exchange(server, { scope: "read" }, { scp: "read write" });
    expect(decodeJwt(entra.access_token).scope).toBe("read");
  });

  test("has the requested audience, if allowed", async () => {
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
    const other = await server.ask({ audience: "somewhere" });
    expect(other.status).toBe(400);
    expect(await other.json()).toMatchObject({ error: "invalid_target" });
  });

  test("has type JWT when requested", async () => {
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
    // The clock tolerance of five seconds applies to both.
    expect(decodeJwt(body.access_token).exp).toBeLessThanOrEqual(soon + 5);
  });

  test("is refused when the subject token expires while claims are fetched", async () => {
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
    const response = await server.ask({}, { exp });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: "invalid_request" });
  });

  test("has the client and the chain of actors", async () => {
    const clients = [{ id: "gateway", secret: "s3cret" }];
    const server = await start({ clients, allowUnregistered: true });
    const body = await exchange(
      server,
      {
        client_id: "gateway",
        client_secret: "s3cret",
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

  test("is refused to an actor other than may_act of the subject token", async () => {
    const server = await start();
    const act = async (sub: string, mayAct: unknown): Promise<number> => {
      const actor = { actor_token: await server.idp.mint({ sub }), actor_token_type: jwtType };
      return (await server.ask(actor, { may_act: mayAct })).status;
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

  test("are in the token, and fetched once", async () => {
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

  test("that fail, hang or break the rules get 503 or 500 without internals", async () => {
    const secret = "password=hunter2";
    const failing = await withUsers(async () => {
      throw new Error(secret);
    });
    const hanging = await withUsers(() => new Promise(() => {}));
    for (const server of [failing, hanging]) {
      const response = await server.ask();
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("1");
      expect(response.headers.get("cache-control")).toBe("no-store");
      const text = await response.text();
      expect(JSON.parse(text)).toMatchObject({ error: "temporarily_unavailable" });
      expect(text).not.toContain("hunter2");
      expect(server.events.at(-1)?.outcome).toBe("temporarily_unavailable");
    }
    const greedy = await withUsers(async () => ({ sub: "root" }));
    const response = await greedy.ask();
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      error: "server_error",
      error_description: "internal error (see the log)",
    });
    expect(greedy.events.at(-1)?.error?.cause).toBeInstanceOf(ParsecError);
  });

  test("that are not registered are rejected when the service is created", async () => {
    await expect(start({ claimMappers: [roles] })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
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
])("rejects the options %j", async (options, message) => {
  await expect(start(options)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(message) as string,
  });
});
