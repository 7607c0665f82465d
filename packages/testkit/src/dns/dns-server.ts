import dgram from "node:dgram";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import {
  type DnsQuestion,
  type DnsRecords,
  type DnsReply,
  encodeRecords,
  encodeReply,
  readQuestion,
} from "./dns-wire.ts";

/**
 * A fault of the DNS server: `none`; `silent`, no answers; `failed` and `refused`, answers with these codes;
 * `short`, truncated answers; `garbage`, answers that are not DNS messages; `stranger`, answers with the id of
 * another request.
 */
export type DnsFault = "none" | "silent" | "failed" | "refused" | "short" | "garbage" | "stranger";

/** A small DNS server on 127.0.0.1, for tests of `createDnsDiscovery` and of code that uses it. */
export interface DnsServer {
  /** Host and port, in the form that the option `servers` expects. */
  readonly address: string;
  /** All questions received, in order. */
  readonly questions: readonly DnsQuestion[];
  /** Sets the records of a name. With an empty object the name exists without records, with undefined it does not exist. */
  set(name: string, records: DnsRecords | undefined): void;
  /** Sets the fault of further answers: for this name, or for all names without one of their own. */
  misbehave(fault: DnsFault, name?: string): void;
  /** Stops the server. May be called more than once. */
  close(): Promise<void>;
}

/** Starts a DNS server on a free port of 127.0.0.1, over UDP and TCP, without names. */
export async function startDnsServer(): Promise<DnsServer> {
  const known = new Map<string, DnsRecords>();
  const questions: DnsQuestion[] = [];
  const connections = new Set<net.Socket>();
  let general: DnsFault = "none";
  const special = new Map<string, DnsFault>();

  const answer = (request: Buffer, datagram: boolean): Buffer | undefined => {
    const { question } = readQuestion(request);
    questions.push(question);
    const fault = special.get(question.name) ?? general;
    if (fault === "silent") return undefined;
    if (fault === "garbage") return Buffer.concat([request.subarray(0, 2), Buffer.alloc(40, 0xff)]);
    const bytes = encodeReply(request, replyTo(question, known, fault), { datagram });
    if (fault === "short") return bytes.subarray(0, bytes.length - 3);
    if (fault === "stranger") bytes.writeUInt16BE(bytes.readUInt16BE(0) ^ 1, 0);
    return bytes;
  };

  const { tcp, udp } = await listenOnBoth();
  udp.on("message", (request, from) => {
    const bytes = guarded(() => answer(request, true));
    if (bytes !== undefined) udp.send(bytes, from.port, from.address);
  });
  tcp.on("connection", (socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    socket.on("error", () => {});
    let held = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0);
        const request = held.subarray(2, end);
        held = held.subarray(end);
        const bytes = guarded(() => answer(request, false));
        if (bytes !== undefined) socket.write(Buffer.concat([lengthOf(bytes), bytes]));
      }
    });
  });

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const closed = [once(udp, "close"), once(tcp, "close")];
    udp.close();
    tcp.close();
    for (const socket of connections) socket.destroy();
    await Promise.all(closed);
  };
  return {
    address: `127.0.0.1:${(tcp.address() as AddressInfo).port}`,
    questions,
    set(name, records) {
      if (records === undefined) known.delete(name.toLowerCase());
      else known.set(name.toLowerCase(), records);
    },
    misbehave(fault, name) {
      if (name === undefined) general = fault;
      else special.set(name.toLowerCase(), fault);
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function replyTo(
  question: DnsQuestion,
  known: ReadonlyMap<string, DnsRecords>,
  fault: DnsFault,
): DnsReply {
  if (fault === "failed") return { code: 2, records: [] };
  if (fault === "refused") return { code: 5, records: [] };
  const records = known.get(question.name);
  return records === undefined
    ? { code: 3, records: [] }
    : { code: 0, records: encodeRecords(question.type, records) };
}

/** Binds the same port number for TCP and UDP. */
async function listenOnBoth(): Promise<{ tcp: net.Server; udp: dgram.Socket }> {
  for (;;) {
    const tcp = net.createServer();
    tcp.listen(0, "127.0.0.1");
    await once(tcp, "listening");
    const udp = dgram.createSocket("udp4");
    udp.bind((tcp.address() as AddressInfo).port, "127.0.0.1");
    try {
      await once(udp, "listening");
      return { tcp, udp };
    } catch {
      udp.close();
      tcp.close();
    }
  }
}

/** Returns undefined for an invalid request, which gets no answer. */
function guarded<Result>(answer: () => Result | undefined): Result | undefined {
  try {
    return answer();
  } catch {
    return undefined;
  }
}

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return length;
}
