import { fork } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { claimPorts } from "@parsec/program";
import { type RunningProgram, runProgram, waitForOutput } from "@parsec/program/testing";
import { createRemoteJWKSet, jwtVerify } from "jose";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import pg from "pg";
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  inject,
  onTestFinished,
  test,
} from "vitest";
import { exchangeAt, exchangeForm } from "../test/cluster-program.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./cluster/embedded-postgres.ts";
import { type FixtureIdp, startFixtureIdp } from "./cluster/fixture-idp.ts";
import { createUsersDatabase, type UsersDatabase } from "./cluster/users-database.ts";

const adminToken = "an-admin-token-for-tests";
const running: RunningProgram[] = [];

afterEach(async () => {
  for (const program of running.splice(0)) {
    program.kill("SIGKILL");
    await program.ended;
  }
});

async function freePort(): Promise<number> {
  const [port = 0] = await claimPorts([{ port: 0, flag: "--port" }]);
  return port;
}

const minimal = {
  PARSEC_AUDIENCES: "https://api.example",
  PARSEC_TRUSTED_ISSUER: "http://127.0.0.1:9",
  PARSEC_TRUSTED_AUDIENCE: "parsec",
  PARSEC_DATABASE_URL: "postgres://me:hunter2@127.0.0.1:9/users",
};

const metadataUrl = "http://127.0.0.1:9/.well-known/openid-configuration";
const databaseReason = /^postgres:\/\/127\.0\.0\.1:9\/users: connect ECONNREFUSED/;

async function startNode(
  env: Readonly<Record<string, string>>,
): Promise<{ readonly url: string; readonly program: RunningProgram }> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const program = runProgram("node", { env: { ...minimal, PARSEC_SELF_URL: url, ...env } });
  running.push(program);
  await waitForOutput(program, /"msg":"listening"/);
  return { url, program };
}

describe("a node without database and identity provider", () => {
  test("starts, reports what it waits for, answers 503 and stops", async () => {
    const { url, program } = await startNode({});
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    const ready = await fetch(`${url}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      status: "starting",
      waiting_for: ["jwks", "database"],
    });
    await expect
      .poll(async () => (await fetch(`${url}/health/ready`)).json())
      .toMatchObject({
        reasons: {
          jwks: expect.stringContaining(metadataUrl),
          database: expect.stringMatching(databaseReason),
        },
      });
    const claims = Buffer.from('{"iss":"http://127.0.0.1:9"}').toString("base64url");
    const header = Buffer.from('{"alg":"ES256","kid":"x"}').toString("base64url");
    const response = await exchangeAt(url, `${header}.${claims}.c2ln`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: "temporarily_unavailable" });
    program.kill("SIGTERM");
    expect(await program.ended).toBe(0);
    const log = program.stdout() + program.stderr();
    expect(log).toContain("PARSEC_SIGNING_SECRET is not set");
    expect(log).toContain(`"reason":"${metadataUrl}: `);
    expect(log).toContain('"msg":"waiting for jwks"');
    expect(log).toMatch(/"reason":"postgres:[^"]*","msg":"waiting for database"/);
    expect(log).not.toContain("hunter2");
    expect(log).not.toContain(claims);
  });

  test("rejects invalid configuration with one line on stderr and exit code 2", async () => {
    const cases = [
      [{ PARSEC_DATABASE_URL: "" }, [], /^token-service: PARSEC_DATABASE_URL must be set: .*\n$/],
      [{ PARSEC_LOG_LEVEL: "loud" }, [], /^token-service: PARSEC_LOG_LEVEL must be one of .*\n$/],
      [{}, ["--prot", "1"], /^token-service: there is no flag --prot; did you mean --port\?\n$/],
    ] as const;
    for (const [env, args, message] of cases) {
      const program = runProgram("node", { env: { ...minimal, ...env }, args });
      expect(await program.ended).toBe(2);
      expect(program.stderr()).toMatch(message);
      expect(program.stdout()).toBe("");
    }
  });

  test("exits when its supervisor ended before it was ready", async () => {
    const program = join(inject("programs"), "node.js");
    const child = fork(program, [], {
      env: { ...minimal, PARSEC_LISTEN: "127.0.0.1:0" },
      execArgv: [],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    child.disconnect();
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("rejects a port in use with one line on stderr and exit code 2", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const program = runProgram("node", { env: minimal, args: ["--port", String(port)] });
    expect(await program.ended).toBe(2);
    expect(program.stderr()).toBe(
      `token-service: port ${port} on 127.0.0.1 is in use; choose another with --port or PARSEC_LISTEN\n`,
    );
    server.close();
  });

  test("lists flags and variables with --help", async () => {
    const program = runProgram("node", { args: ["--help"] });
    expect(await program.ended).toBe(0);
    expect(program.stdout()).toContain("PARSEC_TRUSTED_JWKS_URL");
  });
});

describe("a node with both", () => {
  let postgres: EmbeddedPostgres;
  let users: UsersDatabase;
  let idp: FixtureIdp;
  let env: Record<string, string>;

  beforeAll(async () => {
    postgres = await startEmbeddedPostgres(await freePort());
    const port = await freePort();
    const issuer = `http://127.0.0.1:${port}`;
    users = await createUsersDatabase(postgres.url, { schema: "node_test", issuer });
    const office = async (): Promise<never> => {
      throw new Error("not used");
    };
    idp = await startFixtureIdp({ port, audience: "parsec", office });
    env = {
      PARSEC_TRUSTED_ISSUER: issuer,
      PARSEC_DATABASE_URL: postgres.url,
      PARSEC_USERS_TABLE: users.table,
      PARSEC_ADMIN_TOKEN: adminToken,
    };
  });
  afterAll(async () => {
    await idp.close();
    await users.close();
    await postgres.close();
  });

  async function startReadyNode(more = {}): Promise<{ url: string; program: RunningProgram }> {
    const node = await startNode({ ...env, ...more });
    await waitForOutput(node.program, /"msg":"ready"/);
    return node;
  }

  test("issues a token with claims of the users table, and counts it in the metrics", async () => {
    const { url } = await startReadyNode();
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    for (let n = 0; n < 2; n += 1) {
      const response = await exchangeAt(url, await idp.mint("alice"));
      expect(response.status).toBe(200);
    }
    expect((await exchangeAt(url, await idp.mint("nobody"))).status).toBe(200);
    expect(await (await fetch(`${url}/metrics/cache`)).text()).toBe(
      '# Cache Metrics\ncache_gets{source="users"} 3\ncache_hits{source="users"} 1\n' +
        'cache_loads{source="users"} 2\ncache_fetches{source="users"} 2\n',
    );
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const metrics = await response.text();
    for (const line of [
      'groupcache_gets_total{group="datasource:users"} 3',
      'groupcache_hits_total{group="datasource:users"} 1',
      'groupcache_local_loads_total{group="datasource:users"} 2',
      'groupcache_cache_items{group="datasource:users",type="main"} 2',
      'groupcache_cache_evictions_total{group="datasource:users",type="hot"} 0',
      'parsec_exchanges_total{outcome="issued"} 3',
    ]) {
      expect(metrics).toContain(`\n${line}\n`);
    }
    expect(metrics).toContain("process_resident_memory_bytes");
  });

  test("works with oauth4webapi and openid-client", async () => {
    const { url } = await startReadyNode();
    const parameters = Object.fromEntries(exchangeForm(await idp.mint("alice", { scope: "read" })));
    const { grant_type: grantType = "", ...rest } = parameters;
    const insecure = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(url);
    const as = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure }),
    );
    const client = { client_id: "gateway" };
    const response = await oauth.genericTokenEndpointRequest(
      as,
      client,
      oauth.None(),
      grantType,
      rest,
      insecure,
    );
    const viaOauth = await oauth.processGenericTokenEndpointResponse(as, client, response);
    const config = await openid.discovery(issuer, "gateway", undefined, openid.None(), {
      execute: [openid.allowInsecureRequests],
    });
    const viaOpenid = await openid.genericGrantRequest(config, grantType, rest);
    const keys = createRemoteJWKSet(new URL(as.jwks_uri ?? ""));
    for (const { access_token: token } of [viaOauth, viaOpenid]) {
      const { payload } = await jwtVerify(token, keys, { issuer: url, typ: "JWT" });
      expect(payload).toMatchObject({
        sub: "alice",
        scope: "read",
        department: "engineering",
      });
    }
  });

  test("refuses unauthorized and invalid requests to the admin endpoint", async () => {
    const { url } = await startReadyNode();
    const good = { source: "users", input: { subject: "alice", issuer: idp.issuer } };
    const post = async (
      body: unknown,
      { token = adminToken, type = "application/json", method = "POST" } = {},
    ): Promise<number> => {
      const response = await fetch(`${url}/admin/invalidate`, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": type },
        ...(method === "GET"
          ? {}
          : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      expect(response.headers.get("content-type")).toBe("application/json");
      return response.status;
    };
    expect(await post(good)).toBe(200);
    expect(await post({ source: "users", input: { subject: "alice" } })).toBe(200);
    expect(await post(good, { token: "wrong" })).toBe(401);
    expect(await post(good, { token: `${adminToken}x` })).toBe(401);
    expect(await post(good, { method: "GET" })).toBe(405);
    expect(await post(good, { type: "text/plain" })).toBe(415);
    expect(await post("{")).toBe(400);
    expect(await post("[]")).toBe(400);
    expect(await post("null")).toBe(400);
    expect(await post({ ...good, source: 7 })).toBe(400);
    expect(await post({ source: "users" })).toBe(400);
    expect(await post({ source: "users", input: null })).toBe(400);
    expect(await post({ source: "users", input: { subject: { a: 1 } } })).toBe(400);
    expect(await post({ source: "users", input: { subject: "a", issuer: 7 } })).toBe(400);
    expect(await post({ source: "users", input: { subject: "x".repeat(5_000) } })).toBe(400);
    expect(await post({ ...good, source: "orders" })).toBe(404);
    expect(await post({ ...good, padding: "x".repeat(70_000) })).toBe(413);
    expect(await post(good)).toBe(200);

    const closed = await startReadyNode({ PARSEC_ADMIN_TOKEN: "" });
    const response = await fetch(`${closed.url}/admin/invalidate`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(good),
    });
    expect(response.status).toBe(404);
  });

  test("answers malformed requests with an error, and keeps running", async () => {
    const { url } = await startReadyNode();
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: "POST" })).status).toBe(405);
    expect((await fetch(`${url}/health/live?x`, { method: "HEAD" })).status).toBe(200);
    for (const bytes of [
      "GET / HTTP/9.9\r\n\r\n",
      "\0\x01\x02\r\n\r\n",
      `GET /${"x".repeat(40_000)} HTTP/1.1\r\n\r\n`,
      "POST /v1/token HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    ]) {
      const socket = connect(Number(new URL(url).port), "127.0.0.1");
      socket.on("error", () => {});
      socket.write(bytes);
      const [answer] = (await once(socket, "data")) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 4\d\d /);
      socket.destroy();
    }
    const peers = await fetch(`${url}/_groupcache/datasource:users/x`, { method: "DELETE" });
    expect(peers.status).toBeGreaterThanOrEqual(400);
    expect((await exchangeAt(url, await idp.mint("alice"))).status).toBe(200);
  });

  test("completes a pending request after SIGTERM, and is not ready meanwhile", async () => {
    const { url, program } = await startReadyNode({
      PARSEC_DATABASE_TIMEOUT_MS: "30000",
      PARSEC_EXCHANGE_TIMEOUT_MS: "30000",
      PARSEC_DRAIN_MS: "30000",
    });
    // An open transaction holds the only session of the database.
    const blocker = new pg.Client({ connectionString: postgres.url });
    await blocker.connect();
    await blocker.query("BEGIN");
    const token = await idp.mint("carol");
    const answer = fetch(`${url}/v1/token`, { method: "POST", body: exchangeForm(token) });
    await expect
      .poll(async () => (await fetch(`${url}/metrics/cache`)).text())
      .toContain('cache_loads{source="users"} 1');
    program.kill("SIGTERM");
    await waitForOutput(program, /"msg":"stopping"/);
    const ready = await fetch(`${url}/health/ready`);
    expect(ready.status).toBe(503);
    expect(ready.headers.get("connection")).toBe("close");
    expect(await ready.json()).toMatchObject({ status: "draining" });
    await blocker.query("COMMIT");
    expect((await answer).status).toBe(200);
    expect(await program.ended).toBe(0);
    await blocker.end();
  });

  test("issues no token when users cannot be read, rather than one without roles", async () => {
    const { url } = await startReadyNode({ PARSEC_USERS_TABLE: "node_test.no_such_table" });
    const refused = await exchangeAt(url, await idp.mint("alice"));
    expect(refused.status).toBe(503);
    expect(await refused.text()).not.toContain("no_such_table");
  });

  test("serves cached users during a database outage, and answers 503 for others", async () => {
    const port = await freePort();
    const first = await startEmbeddedPostgres(port);
    const before = await createUsersDatabase(first.url, { schema: "outage", issuer: idp.issuer });
    const { url, program } = await startReadyNode({
      PARSEC_DATABASE_URL: first.url,
      PARSEC_USERS_TABLE: before.table,
      PARSEC_DATABASE_TIMEOUT_MS: "500",
    });
    expect((await exchangeAt(url, await idp.mint("alice"))).status).toBe(200);
    await before.close();
    await first.close();
    expect((await exchangeAt(url, await idp.mint("alice"))).status).toBe(200);
    const refused = await exchangeAt(url, await idp.mint("bob"));
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.text()).not.toContain("ECONNREFUSED");
    const second = await startEmbeddedPostgres(port);
    const after = await createUsersDatabase(second.url, { schema: "outage", issuer: idp.issuer });
    await expect.poll(async () => (await exchangeAt(url, await idp.mint("bob"))).status).toBe(200);
    program.kill("SIGTERM");
    expect(await program.ended).toBe(0);
    await after.close();
    await second.close();
  });
});
