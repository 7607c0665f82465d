import { claimPorts } from "@parsec/program";
import { type RunningProgram, runProgram, waitForOutput } from "@parsec/program/testing";
import { type DnsServer, startDnsServer } from "@parsec/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { adminToken, exchangeAt } from "../test/cluster-program.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./cluster/embedded-postgres.ts";
import { type FixtureIdp, startFixtureIdp } from "./cluster/fixture-idp.ts";
import { createUsersDatabase, type UsersDatabase } from "./cluster/users-database.ts";

// Processes configured like the pods of a Kubernetes Deployment: with their own address and the name of a
// headless service. The DNS server is the test's.

const patiently = { timeout: 20_000 };
const cleanups: (() => unknown)[] = [];
let dns: DnsServer;
let idp: FixtureIdp;
let port: number;
let env: Record<string, string>;

beforeEach(async () => {
  const flag = "--port";
  const ports = await claimPorts([0, 0, 0].map((any) => ({ port: any, flag })));
  const [databasePort = 0, idpPort = 0] = ports;
  port = ports[2] ?? 0;
  const issuer = `http://127.0.0.1:${idpPort}`;
  const postgres: EmbeddedPostgres = await startEmbeddedPostgres(databasePort);
  const users: UsersDatabase = await createUsersDatabase(postgres.url, { schema: "dns", issuer });
  const office = async (): Promise<never> => {
    throw new Error("not used");
  };
  idp = await startFixtureIdp({ port: idpPort, audience: "parsec", office });
  dns = await startDnsServer();
  cleanups.push(
    () => dns.close(),
    () => idp.close(),
    () => users.close(),
    () => postgres.close(),
  );
  env = {
    PARSEC_PEER_DNS: "parsec-peers",
    PARSEC_PEER_DNS_SERVERS: dns.address,
    PARSEC_PEER_DNS_REFRESH_MS: "50",
    PARSEC_ISSUER: "https://tokens.example",
    PARSEC_AUDIENCES: "https://api.example",
    PARSEC_TRUSTED_ISSUER: issuer,
    PARSEC_TRUSTED_AUDIENCE: "parsec",
    PARSEC_DATABASE_URL: postgres.url,
    PARSEC_USERS_TABLE: users.table,
    PARSEC_SIGNING_SECRET: "a secret of thirty-two bytes or more",
    PARSEC_PEER_SECRET: "another secret for peers",
    PARSEC_ADMIN_TOKEN: adminToken,
  };
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const hostOf = (number: number): string => `127.0.0.${number}`;
const urlOf = (number: number): string => `http://${hostOf(number)}:${port}`;

function list(...numbers: readonly number[]): void {
  dns.set("parsec-peers", { addresses: numbers.map(hostOf) });
}

function startNode(number: number): RunningProgram {
  const program = runProgram("node", { env: { ...env, PARSEC_SELF_URL: urlOf(number) } });
  cleanups.unshift(async () => {
    program.kill("SIGKILL");
    await program.ended;
  });
  return program;
}

/** The nodes that acknowledge an invalidation at this node: its peers with the same secret. */
async function reachedFrom(number: number): Promise<readonly string[]> {
  const response = await fetch(`${urlOf(number)}/admin/invalidate`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify({ source: "users", input: { subject: "nobody" } }),
  });
  const { acknowledged } = (await response.json()) as { acknowledged: readonly string[] };
  return [...acknowledged].sort();
}

/** Number of queries for users by these nodes. */
async function fetchesAt(...numbers: readonly number[]): Promise<number> {
  let sum = 0;
  for (const number of numbers) {
    const text = await (await fetch(`${urlOf(number)}/metrics/cache`)).text();
    sum += Number(/cache_fetches\S+ (\d+)/.exec(text)?.[1] ?? 0);
  }
  return sum;
}

test("forms a cluster from one DNS name, and follows its records", async () => {
  dns.misbehave("failed");
  const first = startNode(1);
  await waitForOutput(first, /"msg":"listening"/);
  const waiting = (): Promise<unknown> =>
    fetch(`${urlOf(1)}/health/ready`).then((response) => response.json());
  await expect.poll(waiting, patiently).toEqual({ status: "starting", waiting_for: ["peers"] });

  list(1, 2);
  dns.misbehave("none");
  const second = startNode(2);
  await Promise.all([first, second].map((program) => waitForOutput(program, /"msg":"ready"/)));
  for (const number of [1, 2]) {
    await expect.poll(() => reachedFrom(number), patiently).toEqual([urlOf(1), urlOf(2)]);
  }
  for (const subject of ["alice", "bob", "carol"]) {
    const token = await idp.mint(subject);
    const answers = await Promise.all([exchangeAt(urlOf(1), token), exchangeAt(urlOf(2), token)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  }
  expect(await fetchesAt(1, 2)).toBe(3);

  list(1, 2, 3);
  await waitForOutput(startNode(3), /"msg":"ready"/);
  for (const number of [1, 2, 3]) {
    await expect.poll(() => reachedFrom(number), patiently).toEqual([urlOf(1), urlOf(2), urlOf(3)]);
  }
  second.kill("SIGTERM");
  expect(await second.ended).toBe(0);
  list(1, 3);
  for (const number of [1, 3]) {
    await expect.poll(() => reachedFrom(number), patiently).toEqual([urlOf(1), urlOf(3)]);
  }
  expect((await exchangeAt(urlOf(3), await idp.mint("alice"))).status).toBe(200);
}, 60_000);
