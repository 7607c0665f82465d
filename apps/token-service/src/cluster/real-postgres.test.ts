import { runProgram } from "@parsec/program/testing";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { type DatabasePool, openDatabasePool, runStatement } from "../node/database-pool.ts";
import { createUsersSource } from "../node/users-source.ts";
import { createUsersDatabase } from "./users-database.ts";

const given = process.env.PARSEC_TEST_POSTGRES_URL;
const missing = process.env.PARSEC_TEST_POSTGRES_MISSING ?? "PARSEC_TEST_POSTGRES_URL is not set";
const url = given ?? "";

function onPostgres(name: string, run: () => Promise<void>): void {
  test(name, async ({ skip }) => {
    if (given === undefined) return skip(missing);
    await run();
  });
}

const issuer = "https://idp.example";
const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

function openPool(timeoutMs = 5_000): { readonly pool: DatabasePool; readonly errors: Error[] } {
  const errors: Error[] = [];
  const onError = (error: Error): void => void errors.push(error);
  const pool = openDatabasePool({ url: url, size: 2, timeoutMs, onError });
  opened.push(() => pool.end());
  return { pool, errors };
}

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  opened.push(() => client.end());
  return client;
}

async function ourSchemas(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ nspname: string }>(
    "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'parsec%'",
  );
  return rows.map((row) => row.nspname);
}

onPostgres("reads are counted there as in the embedded one, found or not", async () => {
  const users = await createUsersDatabase(url, { schema: "parsec_reads", issuer });
  opened.push(() => users.close());
  const source = createUsersSource(openPool().pool, users.table);
  const { signal } = new AbortController();
  expect(await source.fetch({ issuer, subject: "alice" }, { signal })).toMatchObject({
    roles: ["admin"],
  });
  expect(await source.fetch({ issuer, subject: "nobody" }, { signal })).toBeUndefined();
  expect(await users.countReads()).toBe(2);
});

onPostgres(
  "an abort gives the connection up, a slow statement is ended by the server",
  async () => {
    const { pool } = openPool(300);
    const sleep = { text: "SELECT pg_sleep($1::float)", values: ["30"] };
    const controller = new AbortController();
    const leaving = runStatement(pool, sleep, controller.signal);
    await expect.poll(() => pool.totalCount - pool.idleCount).toBe(1);
    controller.abort();
    await expect(leaving).rejects.toThrow();
    const { signal } = new AbortController();
    await expect(runStatement(pool, sleep, signal)).rejects.toMatchObject({ code: "57014" });
    const echo = { text: "SELECT $1::text AS x", values: ["1"] };
    expect(await runStatement(pool, echo, signal)).toEqual([{ x: "1" }]);
  },
);

onPostgres("connections that the server ends are replaced", async () => {
  const { pool, errors } = openPool();
  const { signal } = new AbortController();
  const [row] = await runStatement(
    pool,
    { text: "SELECT pg_backend_pid()::text || $1 AS pid", values: [""] },
    signal,
  );
  const admin = await connect();
  await admin.query("SELECT pg_terminate_backend($1)", [row?.pid]);
  await expect.poll(() => errors.length).toBe(1);
  const echo = { text: "SELECT $1::text AS x", values: ["1"] };
  expect(await runStatement(pool, echo, signal)).toEqual([{ x: "1" }]);
});

onPostgres("the tour passes on it unchanged and leaves no schema behind", async () => {
  const admin = await connect();
  const before = await ourSchemas(admin);
  const program = runProgram("demo", { args: ["--database-url", url] });
  const code = await program.ended;
  expect(program.stdout() + program.stderr()).toMatch(/^All checks passed/m);
  expect(code).toBe(0);
  expect(await ourSchemas(admin)).toEqual(before);
});
