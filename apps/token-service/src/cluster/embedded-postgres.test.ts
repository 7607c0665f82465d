import { claimPorts } from "@parsec/program";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bind,
  connectByWire,
  execute,
  firstColumn,
  flush,
  parse,
  query,
  sync,
} from "../../test/wire-client.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";

let postgres: EmbeddedPostgres;
let url: string;

beforeAll(async () => {
  const [port = 0] = await claimPorts([{ port: 0, flag: "--postgres-port" }]);
  postgres = await startEmbeddedPostgres(port);
  ({ url } = postgres);
});
afterAll(() => postgres.close());

describe("concurrent connections do not mix up their statements", () => {
  const echo = "SELECT $1::text";

  test("when one sends half of a query, another a whole one, then the first the rest", async () => {
    const [first, second] = await Promise.all([connectByWire(url), connectByWire(url)]);
    await first.send(parse(echo), bind("first"));
    await second.send(parse(echo), bind("second"), execute, sync);
    expect(firstColumn(await second.readUntil("Z"))).toEqual(["second"]);
    await first.send(execute, sync);
    expect(firstColumn(await first.readUntil("Z"))).toEqual(["first"]);
    for (const { socket } of [first, second]) socket.destroy();
  });

  test("when one sends Flush, and continues after a statement of another", async () => {
    const [first, second] = await Promise.all([connectByWire(url), connectByWire(url)]);
    await first.send(parse(echo), bind("first"), flush);
    await first.readUntil("2");
    await second.send(query("SELECT 'second'"));
    await first.send(execute, sync);
    expect(firstColumn(await first.readUntil("Z"))).toEqual(["first"]);
    expect(firstColumn(await second.readUntil("Z"))).toEqual(["second"]);
    for (const { socket } of [first, second]) socket.destroy();
  });

  test("when queries wait for the transaction of another", async () => {
    const blocker = new pg.Client({ connectionString: url });
    await blocker.connect();
    const clients = Array.from({ length: 8 }, () => new pg.Client({ connectionString: url }));
    await Promise.all(clients.map((client) => client.connect()));
    await blocker.query("BEGIN");
    const answers = clients.map(async (client, index) => {
      const { rows } = await client.query<{ x: number }>("SELECT $1::int AS x", [index]);
      return rows.map(({ x }) => x);
    });
    // The messages of the others have arrived when these have been answered.
    for (let n = 0; n < 10; n += 1) await blocker.query("SELECT 1");
    await blocker.query("COMMIT");
    expect(await Promise.all(answers)).toEqual(clients.map((_, index) => [index]));
    await Promise.all([blocker, ...clients].map((client) => client.end()));
  });

  test("with many parameterized queries over many connections", async () => {
    const pool = new pg.Pool({ connectionString: url, max: 20 });
    const wrong: unknown[] = [];
    await Promise.all(
      Array.from({ length: 600 }, async (_, index) => {
        const sql = index % 3 === 0 ? "SELECT $1::int AS x WHERE $2" : "SELECT $1::int AS x, $2";
        const { rows } = await pool.query<{ x: number }>(sql, [index, true]);
        if (rows.length !== 1 || rows[0]?.x !== index) wrong.push({ index, rows });
      }),
    );
    expect(wrong).toEqual([]);
    await pool.end();
  });
});
