import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A Postgres client that sends single messages under the control of a test. */
export interface WireClient {
  readonly socket: Socket;
  /** Sends messages in one write and waits until it is flushed. */
  send(...messages: readonly Buffer[]): Promise<void>;
  /** Reads answers up to and including the next one of this type; rejects when the server disconnects first. */
  readUntil(type: string): Promise<readonly Answer[]>;
  /** Number of received bytes that no `readUntil` has returned. */
  unreadBytes(): number;
}

export interface Answer {
  readonly type: string;
  readonly body: Buffer;
}

/** Connects without sending anything. */
export async function connectSilently(url: string): Promise<WireClient> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let unread: Buffer = Buffer.alloc(0);
  let isOver = false;
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    socket.emit("news");
  });
  socket.on("close", () => {
    isOver = true;
    socket.emit("news");
  });
  await once(socket, "connect");

  const takeOne = (): Answer | undefined => {
    if (unread.length < 5) return undefined;
    const end = 1 + unread.readUInt32BE(1);
    if (unread.length < end) return undefined;
    const answer = { type: String.fromCharCode(unread[0] ?? 0), body: unread.subarray(5, end) };
    unread = unread.subarray(end);
    return answer;
  };
  return {
    socket,
    send: (...messages) =>
      new Promise((resolve, reject) => {
        socket.write(Buffer.concat(messages), (error) => (error ? reject(error) : resolve()));
      }),
    async readUntil(type) {
      const answers: Answer[] = [];
      for (;;) {
        const answer = takeOne();
        if (answer !== undefined) answers.push(answer);
        else if (isOver) throw new Error(`the server hung up before ${type}`);
        else await once(socket, "news");
        if (answer?.type === type) return answers;
      }
    },
    unreadBytes: () => unread.length,
  };
}

/** Connects and waits for the first ReadyForQuery. */
export async function connectByWire(url: string): Promise<WireClient> {
  const client = await connectSilently(url);
  await client.send(startupMessage());
  await client.readUntil("Z");
  return client;
}

/** The first column of every row, as text. */
export function firstColumn(answers: readonly Answer[]): readonly string[] {
  return answers
    .filter(({ type }) => type === "D")
    .map(({ body }) => body.subarray(6, 6 + body.readInt32BE(2)).toString());
}

/** A field of the ErrorResponse in the answers: "C" for the SQLSTATE, "M" for the message. */
export function errorField(answers: readonly Answer[], field: string): string | undefined {
  const fields =
    answers
      .find(({ type }) => type === "E")
      ?.body.toString()
      .split("\0") ?? [];
  return fields.find((text) => text.startsWith(field))?.slice(1);
}

export function startupMessage(version = 0x0003_0000): Buffer {
  return untyped(version, Buffer.from("user\0postgres\0database\0postgres\0\0"));
}

/** A message without a type: length, a number, and the rest. */
export function untyped(code: number, rest: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + rest.length);
  head.writeUInt32BE(code, 4);
  return Buffer.concat([head, rest]);
}

export function typed(type: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, "latin1");
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

export const query = (sql: string): Buffer => typed("Q", Buffer.from(`${sql}\0`));
export const parse = (sql: string): Buffer => typed("P", Buffer.from(`\0${sql}\0\0\0`));
export const execute: Buffer = typed("E", Buffer.from([0, 0, 0, 0, 0]));
export const flush: Buffer = typed("H");
export const sync: Buffer = typed("S");

/** Binds one text parameter to the unnamed statement. */
export function bind(value: string): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(Buffer.byteLength(value));
  const start = Buffer.from([0, 0, 0, 0, 0, 1]);
  return typed("B", Buffer.concat([start, size, Buffer.from(value), Buffer.from([0, 0])]));
}
