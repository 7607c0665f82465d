/** A question that the DNS server of the tests has received. */
export interface DnsQuestion {
  /** In lower case, without the final dot. */
  readonly name: string;
  readonly type: "A" | "AAAA" | "SRV" | "other";
}

/** The records of a name, for `set` of the DNS server of the tests. A missing field means no such records. */
export interface DnsRecords {
  /** IPv4 and IPv6 addresses: A and AAAA records. */
  readonly addresses?: readonly string[];
  /** Targets of SRV records; priority and weight are 0. */
  readonly services?: readonly { readonly host: string; readonly port: number }[];
}

export interface DnsReply {
  /** Response code: 0 no error, 2 server failure, 3 name does not exist, 5 refused. */
  readonly code: number;
  readonly records: readonly Buffer[];
}

const types: Readonly<Record<number, DnsQuestion["type"]>> = { 1: "A", 28: "AAAA", 33: "SRV" };
const headerBytes = 12;
/** The datagram size that every client accepts. */
const datagramBytes = 512;

/** Reads the question of a request. Throws for an invalid request. */
export function readQuestion(request: Buffer): { question: DnsQuestion; end: number } {
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const length = request.readUInt8(at);
    at += 1;
    if (length === 0) break;
    labels.push(request.toString("latin1", at, at + length));
    at += length;
  }
  const type = types[request.readUInt16BE(at)] ?? "other";
  return { question: { name: labels.join(".").toLowerCase(), type }, end: at + 4 };
}

/** The records of one type in wire format. */
export function encodeRecords(type: DnsQuestion["type"], known: DnsRecords): readonly Buffer[] {
  const { addresses = [], services = [] } = known;
  if (type === "SRV") {
    return services.map(({ host, port }) =>
      record(33, [Buffer.from([0, 0, 0, 0, port >> 8, port & 255]), encodeName(host)]),
    );
  }
  if (type === "A")
    return addresses
      .filter((text) => !text.includes(":"))
      .map((text) => record(1, [Buffer.from(text.split(".").map(Number))]));
  if (type === "AAAA")
    return addresses
      .filter((text) => text.includes(":"))
      .map((text) => record(28, [encodeIpv6(text)]));
  return [];
}

/** Encodes a reply. A datagram that would be too large is marked as truncated and has no records. */
export function encodeReply(
  request: Buffer,
  reply: DnsReply,
  options: { readonly datagram: boolean },
): Buffer {
  const { end } = readQuestion(request);
  const bytes = reply.records.reduce((sum, { length }) => sum + length, end);
  const cutOff = options.datagram && bytes > datagramBytes;
  const records = cutOff ? [] : reply.records;
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(request.readUInt16BE(0), 0);
  header.writeUInt8(0x85 | (cutOff ? 2 : 0), 2); // response, authoritative, recursion desired
  header.writeUInt8(0x80 | reply.code, 3);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, request.subarray(headerBytes, end), ...records]);
}

function record(type: number, parts: readonly Buffer[]): Buffer {
  const data = Buffer.concat(parts);
  const header = Buffer.alloc(12);
  header.writeUInt16BE(0xc000 | headerBytes, 0); // pointer to the name in the question
  header.writeUInt16BE(type, 2);
  header.writeUInt16BE(1, 4); // class IN
  header.writeUInt32BE(5, 6); // ttl in seconds
  header.writeUInt16BE(data.length, 10);
  return Buffer.concat([header, data]);
}

function encodeName(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  const parts = labels.map((label) =>
    Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1")]),
  );
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function encodeIpv6(text: string): Buffer {
  const [before = [], after = []] = text
    .split("::")
    .map((half) => (half === "" ? [] : half.split(":").map((group) => Number.parseInt(group, 16))));
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  return Buffer.from([...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 255]));
}
