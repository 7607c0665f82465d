import { once } from "node:events";
import { PGlite } from "@electric-sql/pglite";
import { claimPorts, loopbackHost } from "@parsec/program";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bind,
  connectByWire,
  connectSilently,
  errorField,
  execute,
  firstColumn,
  flush,
  parse,
  query,
  startupMessage,
  sync,
  typed,
  untyped,
  type WireClient,
} from "../../test/wire-client.ts";
import { type SessionServer, startSessionServer } from "./session-server.ts";
import { createSharedSession } from "./shared-session.ts";

const limits = { maxBatchBytes: 64 * 1024, maxWaitingBytes: 4 * 1024, silenceMs: 20_000 };
const maxConnections = 6;
let db: PGlite;
let server: SessionServer;
let url: string;

beforeAll(async () => {
  db = await PGlite.create();
  await db.exec("CREATE TABLE notes (text text)");
  const [port = 0] = await claimPorts([{ port: 0, flag: "--postgres-port" }]);
  url = `postgres://${loopbackHost}:${port}`;
  const options = { host: loopbackHost, port, maxConnections, limits };
  server = await startSessionServer(createSharedSession(db), options);
});
afterAll(async () => {
  await server.close();
  await server.close();
  await db.close();
});

async function ask(client: WireClient, sql: string): Promise<readonly string[]> {
  await client.send(query(sql));
  return firstColumn(await client.readUntil("Z"));
}

async function hangUp(...clients: readonly WireClient[]): Promise<void> {
  await Promise.all(
    clients.map(async (client) => {
      client.socket.destroy();
      await hasHungUp(client);
    }),
  );
}

function hasHungUp({ socket }: WireClient): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}

describe("a client that disconnects", () => {
  test.each([
    ["in a transaction", [query("BEGIN; INSERT INTO notes VALUES ('lost')")], "Z"],
    ["in a failed transaction", [query("BEGIN"), query("SELECT 1/0")], "E"],
    ["in the middle of a statement", [parse("SELECT $1::text"), bind("x"), flush], "2"],
    ["after an error before Sync", [parse("SELEC"), flush], "E"],
  ] as const)("%s: frees the session and leaves nothing behind", async (_, messages, until) => {
    const [leaving, waiting] = await Promise.all([connectByWire(url), connectByWire(url)]);
    await leaving.send(...messages);
    await leaving.readUntil(until);
    const answer = ask(waiting, "SELECT count(*) FROM notes");
    await hangUp(leaving);
    expect(await answer).toEqual(["0"]);
    await hangUp(waiting);
  });

  test("by Terminate in a transaction gets its answers, and is rolled back", async () => {
    const client = await connectByWire(url);
    await client.send(
      query("BEGIN; INSERT INTO notes VALUES ('lost')"),
      query("SELECT 7"),
      typed("X"),
    );
    await client.readUntil("Z");
    expect(firstColumn(await client.readUntil("Z"))).toEqual(["7"]);
    await hasHungUp(client);
    const other = await connectByWire(url);
    expect(await ask(other, "SELECT count(*) FROM notes")).toEqual(["0"]);
    await hangUp(other);
  });

  test("before its turn does not get its messages run", async () => {
    const [holder, leaving] = await Promise.all([connectByWire(url), connectByWire(url)]);
    await ask(holder, "BEGIN");
    await leaving.send(query("INSERT INTO notes VALUES ('nobody waits')"));
    await hangUp(leaving);
    expect(await ask(holder, "SELECT 1")).toEqual(["1"]);
    await ask(holder, "COMMIT");
    expect(await ask(holder, "SELECT count(*) FROM notes")).toEqual(["0"]);
    await hangUp(holder);
  });
});

describe("the message stream", () => {
  test("may arrive byte by byte", async () => {
    const client = await connectSilently(url);
    client.socket.setNoDelay(true);
    const bytes = Buffer.concat([
      startupMessage(),
      parse("SELECT $1::text"),
      bind("slow"),
      execute,
      sync,
    ]);
    for (const byte of bytes) await client.send(Buffer.from([byte]));
    await client.readUntil("Z");
    expect(firstColumn(await client.readUntil("Z"))).toEqual(["slow"]);
    await hangUp(client);
  });

  test("may contain more than maxWaitingBytes", async () => {
    const client = await connectByWire(url);
    const count = 500;
    const values = Array.from({ length: count }, (_, index) => String(index));
    await client.send(
      ...values.flatMap((value) => [parse("SELECT $1::text"), bind(value), execute, sync]),
    );
    const answers: string[] = [];
    for (let n = 0; n < count; n += 1) answers.push(...firstColumn(await client.readUntil("Z")));
    expect(answers).toEqual(values);
    await hangUp(client);
  });

  test("does not carry errors over to the next statement", async () => {
    const client = await connectByWire(url);
    await client.send(parse("SELEC"), bind("x"), execute, sync, query("SELECT 1"));
    const answers = await client.readUntil("Z");
    expect(answers.map(({ type }) => type)).toEqual(["E", "Z"]);
    expect(firstColumn(await client.readUntil("Z"))).toEqual(["1"]);
    await hangUp(client);
  });

  test("gets an error for COPY FROM STDIN, and the database keeps running", async () => {
    const client = await connectByWire(url);
    await client.send(query("COPY notes FROM STDIN"), typed("d", Buffer.from("x\n")), typed("c"));
    expect(errorField(await client.readUntil("Z"), "C")).toBe("57014");
    await client.send(parse("COPY notes FROM STDIN"), bindNothing, execute, sync);
    expect(errorField(await client.readUntil("Z"), "C")).toBe("57014");
    expect(await ask(client, "SELECT count(*) FROM notes")).toEqual(["0"]);
    await hangUp(client);
  });

  test("of a client that does not read its answers does not block the others", async () => {
    const [lazy, other] = await Promise.all([connectByWire(url), connectByWire(url)]);
    lazy.socket.pause();
    await lazy.send(query("SELECT repeat('x', 20000000)"), query("SELECT 'after'"));
    for (let n = 0; n < 3; n += 1) expect(await ask(other, "SELECT 'other'")).toEqual(["other"]);
    lazy.socket.resume();
    expect(firstColumn(await lazy.readUntil("Z"))[0]).toHaveLength(20_000_000);
    expect(firstColumn(await lazy.readUntil("Z"))).toEqual(["after"]);
    await hangUp(lazy, other);
  });
});

const bindNothing = typed("B", Buffer.from([0, 0, 0, 0, 0, 0, 0, 0]));

describe("the startup", () => {
  test("declines encryption, and negotiates a newer minor version down", async () => {
    const client = await connectSilently(url);
    for (const request of [80_877_103, 80_877_104]) {
      const answered = once(client.socket, "data");
      await client.send(untyped(request));
      expect(String((await answered)[0])).toBe("N");
    }
    await hangUp(client);
    const newer = await connectSilently(url);
    await newer.send(startupMessage(0x0003_0002));
    const answers = await newer.readUntil("Z");
    expect(answers[0]).toEqual({ type: "v", body: Buffer.from([0, 3, 0, 0, 0, 0, 0, 0]) });
    expect(await ask(newer, "SELECT 1")).toEqual(["1"]);
    await hangUp(newer);
  });

  test("closes a cancel request without an answer", async () => {
    const client = await connectSilently(url);
    await client.send(untyped(80_877_102, Buffer.alloc(8)));
    await hasHungUp(client);
    expect(client.unreadBytes()).toBe(0);
  });

  test("refuses a connection over the limit with an error in the protocol", async () => {
    const clients = await Promise.all(
      Array.from({ length: maxConnections }, () => connectByWire(url)),
    );
    const late = await connectSilently(url);
    await late.send(startupMessage());
    expect(errorField(await late.readUntil("E"), "C")).toBe("53300");
    await hangUp(late, ...clients);
    await expect
      .poll(async () => {
        const next = await connectSilently(url);
        await next.send(startupMessage());
        const [first] = await next.readUntil("S").catch(() => []);
        await hangUp(next);
        return first?.type;
      })
      .toBe("R");
  });
});

describe("an invalid message gets an error and closes only its connection", () => {
  const hello = startupMessage();
  const head = (type: string, length: number): Buffer => {
    const bytes = Buffer.alloc(5);
    bytes.write(type, "latin1");
    bytes.writeUInt32BE(length, 1);
    return bytes;
  };
  test.each([
    ["an HTTP request", [Buffer.from("GET / HTTP/1.1\r\n\r\n")], "08P01"],
    ["a startup packet without content", [Buffer.alloc(4)], "08P01"],
    ["protocol 2", [untyped(0x0002_0000)], "08P01"],
    ["an unknown type", [hello, typed("@")], "08P01"],
    ["an unexpected password", [hello, typed("p", Buffer.from("x\0"))], "08P01"],
    ["a length below the minimum", [hello, head("Q", 3)], "08P01"],
    ["a length over the limit", [hello, head("Q", limits.maxBatchBytes + 1)], "54000"],
    ["the maximum length", [hello, head("P", 0xffff_ffff)], "54000"],
    [
      "a pipeline without Sync",
      [hello, ...Array.from({ length: 3 }, () => parse(`SELECT '${"x".repeat(30_000)}'`))],
      "54000",
    ],
  ] as const)("%s", async (_, messages, code) => {
    const witness = await connectByWire(url);
    const client = await connectSilently(url);
    await client.send(...messages);
    expect(errorField(await client.readUntil("E"), "C")).toBe(code);
    client.socket.end();
    await hasHungUp(client);
    expect(await ask(witness, "SELECT 1")).toEqual(["1"]);
    await hangUp(witness);
  });
});

test("close disconnects clients that wait for or hold the session", async () => {
  const [port = 0] = await claimPorts([{ port: 0, flag: "--postgres-port" }]);
  const options = { host: loopbackHost, port, maxConnections, limits };
  const own = await startSessionServer(createSharedSession(db), options);
  const address = `postgres://${loopbackHost}:${port}`;
  const [holder, waiting, silent] = await Promise.all([
    connectByWire(address),
    connectByWire(address),
    connectSilently(address),
  ]);
  await ask(holder, "BEGIN");
  await waiting.send(query("SELECT 1"));
  await own.close();
  await Promise.all([holder, waiting, silent].map(hasHungUp));
  expect(db.isInTransaction()).toBe(false);
});

test("a failed database is an error for current and later clients", async () => {
  const [port = 0] = await claimPorts([{ port: 0, flag: "--postgres-port" }]);
  const ending = await PGlite.create();
  const options = { host: loopbackHost, port, maxConnections, limits };
  const own = await startSessionServer(createSharedSession(ending), options);
  const address = `postgres://${loopbackHost}:${port}`;
  const [holder, waiting] = await Promise.all([connectByWire(address), connectByWire(address)]);
  await ask(holder, "BEGIN");
  await waiting.send(query("SELECT 1"));
  await ending.close();
  await holder.send(query("COMMIT"));
  const late = await connectSilently(address);
  await late.send(startupMessage());
  for (const client of [holder, waiting, late]) {
    expect(errorField(await client.readUntil("E"), "C")).toBe("57P02");
  }
  await hangUp(holder, waiting, late);
  await own.close();
});
