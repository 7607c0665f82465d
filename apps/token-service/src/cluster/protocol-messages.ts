/** Whether a session is idle, in a transaction, or in one that has failed. */
export type TransactionStatus = "I" | "T" | "E";

/** The status in the last ReadyForQuery of complete messages; undefined when there is none. */
export function lastStatus(answer: Buffer): TransactionStatus | undefined {
  let status: TransactionStatus | undefined;
  for (let at = 0; at + 5 < answer.length; at += 1 + answer.readUInt32BE(at + 1)) {
    if (answer[at] !== readyForQuery) continue;
    const letter = String.fromCharCode(answer[at + 5] ?? 0);
    status = letter === "T" || letter === "E" ? letter : "I";
  }
  return status;
}

/** An ErrorResponse that ends a connection. `code` is the SQLSTATE. */
export function fatalError(code: string, message: string): Buffer {
  const fields = [`SFATAL`, `VFATAL`, `C${code}`, `M${message}`, "", ""].join("\0");
  return typed("E", Buffer.from(fields));
}

/** Tells a client with a newer minor version to use protocol 3.0. */
export function negotiateVersion(): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32BE(protocolVersion);
  return typed("v", body);
}

/** A startup packet for PGlite's only user. */
export function startupPacket(): Buffer {
  const body = Buffer.from("\0\0\0\0user\0postgres\0database\0postgres\0\0");
  body.writeUInt32BE(protocolVersion);
  return withLength(body);
}

/** A simple query. */
export function simpleQuery(sql: string): Buffer {
  return typed("Q", Buffer.from(`${sql}\0`));
}

/** Ends an implicit transaction. */
export function syncMessage(): Buffer {
  return typed("S", Buffer.alloc(0));
}

/** Aborts a COPY FROM STDIN with this message; ignored when none is in progress. */
export function copyFail(message: string): Buffer {
  return typed("f", Buffer.from(`${message}\0`));
}

const readyForQuery = "Z".charCodeAt(0);
const protocolVersion = 3 << 16;

function typed(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), withLength(body)]);
}

function withLength(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(4 + body.length);
  return Buffer.concat([length, body]);
}
