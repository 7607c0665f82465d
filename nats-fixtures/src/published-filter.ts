import { Transform } from "node:stream";

const lineEnd = Buffer.from("\r\n");

/**
 * Forwards the protocol of a NATS client without the messages to subjects for which `isLost` returns true:
 * separates two clients of one server from each other. Expects plain text, not TLS
 * (https://docs.nats.io/reference/reference-protocols/nats-protocol).
 */
export function createPublishedFilter(isLost: (subject: string) => boolean): Transform {
  let held: Buffer = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      for (let length = protocolLength(held); length > 0; length = protocolLength(held)) {
        const message = held.subarray(0, length);
        held = held.subarray(length);
        const subject = subjectOf(message);
        if (subject === undefined || !isLost(subject)) this.push(message);
      }
      done();
    },
  });
}

/** Length of the first message with its payload; 0 while it is incomplete. */
function protocolLength(bytes: Buffer): number {
  const end = bytes.indexOf(lineEnd);
  if (end < 0) return 0;
  const line = bytes.toString("latin1", 0, end);
  const payload = /^H?PUB\s.*\s(\d+)\s*$/i.exec(line)?.[1];
  const headLength = end + lineEnd.length;
  const length = payload === undefined ? headLength : headLength + Number(payload) + lineEnd.length;
  return bytes.length < length ? 0 : length;
}

function subjectOf(message: Buffer): string | undefined {
  const head = message.toString("latin1", 0, Math.min(message.length, 1024));
  return /^H?PUB\s+(\S+)/i.exec(head)?.[1];
}
