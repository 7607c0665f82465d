import { claimPorts } from "@parsec/program";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DatabasePool, openDatabasePool, runStatement } from "../node/database-pool.ts";
import { createUsersSource } from "../node/users-source.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { createUsersDatabase, type UsersDatabase } from "./users-database.ts";

const issuer = "https://idp.example";
const never = (): AbortSignal => new AbortController().signal;
let postgres: EmbeddedPostgres;
let users: UsersDatabase;
const pools: DatabasePool[] = [];

beforeAll(async () => {
  const [port = 0] = await claimPorts([{ port: 0, flag: "--postgres-port" }]);
  postgres = await startEmbeddedPostgres(port);
  users = await createUsersDatabase(postgres.url, { schema: "parsec_test", issuer });
  for (let n = 0; n < 3; n += 1) {
    pools.push(openDatabasePool({ url: postgres.url, size: 4, timeoutMs: 5_000, onError() {} }));
  }
}, 60_000);

afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await users.close();
  await users.close();
  await postgres.close();
});

test("counts every query that reads users, with or without a result", async () => {
  const source = createUsersSource(pools[0] as DatabasePool, users.table);
  const before = await users.countReads();
  expect(await source.fetch({ issuer, subject: "alice" }, { signal: never() })).toEqual({
    email: "alice@example.org",
    roles: ["admin"],
    department: "engineering",
  });
  expect(await source.fetch({ issuer, subject: "nobody" }, { signal: never() })).toBeUndefined();
  const other = { issuer: "https://other.example", subject: "alice" };
  expect(await source.fetch(other, { signal: never() })).toBeUndefined();
  expect((await users.countReads()) - before).toBe(3);
});

test("binds values instead of concatenating them", async () => {
  const source = createUsersSource(pools[0] as DatabasePool, users.table);
  for (const subject of ["' OR ''='", "alice'; DROP TABLE user_records; --", "%", "\\"]) {
    expect(await source.fetch({ issuer, subject }, { signal: never() })).toBeUndefined();
  }
  expect(await source.fetch({ issuer, subject: "alice" }, { signal: never() })).toBeDefined();
});

test("rejects a result for another user, instead of treating the user as unknown", async () => {
  const pool = pools[0] as DatabasePool;
  const answers = (rows: readonly Record<string, unknown>[]): DatabasePool => {
    const stray = Object.create(pool) as DatabasePool;
    stray.connect = (async () => ({
      query: async () => ({ rows }),
      on() {},
      off() {},
      release() {},
    })) as unknown as DatabasePool["connect"];
    return stray;
  };
  const about = (subject: string): Record<string, unknown> => ({
    asked_issuer: issuer,
    asked_subject: subject,
    is_known: false,
  });
  for (const rows of [[], [{}], [about("bob")], [about("alice"), about("alice")]]) {
    const fetch = createUsersSource(answers(rows), users.table).fetch(
      { issuer, subject: "alice" },
      { signal: never() },
    );
    await expect(fetch).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  }
});

test.each([
  [
    "two rows for one user",
    "SELECT $$i$$ AS issuer, $$s$$ AS subject, $$e$$ AS email, $${a}$$::text[] AS roles, $$d$$ AS department FROM generate_series(1, 2)",
  ],
  [
    "roles in a text",
    "SELECT $$i$$ AS issuer, $$s$$ AS subject, $$e$$ AS email, $${a}$$::text AS roles, $$d$$ AS department",
  ],
])("rejects %s, instead of returning a user without roles", async (name, select) => {
  const view = `parsec_test.view_${name.length}`;
  await runStatement(
    pools[0] as DatabasePool,
    { text: `CREATE VIEW ${view} AS ${select}`, values: [] },
    never(),
  );
  const source = createUsersSource(pools[0] as DatabasePool, view);
  const fetch = source.fetch({ issuer: "i", subject: "s" }, { signal: never() });
  await expect(fetch).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  const nobody = source.fetch({ issuer: "i", subject: "t" }, { signal: never() });
  expect(await nobody).toBeUndefined();
});

test("serves the pools of three nodes with one session, each with its own answers", async () => {
  const names = ["alice", "bob", "carol"];
  const answers = await Promise.all(
    Array.from({ length: 150 }, async (_, index) => {
      const subject = names[index % names.length] as string;
      const pool = pools[index % 2 === 0 ? 0 : ((index % 3) as 0 | 1 | 2)] as DatabasePool;
      const user = await createUsersSource(pool, users.table).fetch(
        { issuer, subject },
        { signal: never() },
      );
      return user?.email === `${subject}@example.org`;
    }),
  );
  expect(answers.every(Boolean)).toBe(true);
});

test("changes the roles of existing users only", async () => {
  const source = createUsersSource(pools[1] as DatabasePool, users.table);
  expect(await users.setRoles("carol", ["auditor", "boss"])).toBe(true);
  expect(await users.setRoles("nobody", [])).toBe(false);
  const carol = await source.fetch({ issuer, subject: "carol" }, { signal: never() });
  expect(carol?.roles).toEqual(["auditor", "boss"]);
});

test("rejects on abort, and the pool keeps working", async () => {
  const pool = pools[2] as DatabasePool;
  const aborted = AbortSignal.abort();
  const statement = { text: "SELECT $1::text AS echo", values: ["x"] };
  await expect(runStatement(pool, statement, aborted)).rejects.toThrow();
  const controller = new AbortController();
  const leaving = runStatement(pool, statement, controller.signal);
  controller.abort();
  await expect(leaving).rejects.toThrow();
  expect(await runStatement(pool, statement, never())).toEqual([{ echo: "x" }]);
});

test("rejects with an SQL error, and keeps the connection", async () => {
  const pool = openDatabasePool({ url: postgres.url, size: 1, timeoutMs: 5_000, onError() {} });
  await expect(
    runStatement(pool, { text: "SELECT 1/$1::int AS x", values: ["0"] }, never()),
  ).rejects.toMatchObject({ code: "22012" });
  const rows = await runStatement(pool, { text: "SELECT $1::text AS x", values: ["1"] }, never());
  expect(rows).toEqual([{ x: "1" }]);
  expect(pool.totalCount).toBe(1);
  await pool.end();
});
