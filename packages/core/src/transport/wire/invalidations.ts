import { ParsecError } from "../../errors.ts";
import type { PeerInvalidation, PeerInvalidationTarget } from "../../peer.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import {
  checkLimit,
  checkWholeNumber,
  largestCount,
  malformed,
  patchRequestCount,
  type RequestHeader,
  readRequestHeader,
  writeRequestHeader,
} from "./layout.ts";
import type { FrameLimits } from "./limits.ts";
import type { NodeBuffer } from "./node-buffer.ts";
import { readPeerTrace, readTrace, writeTrace } from "./trace-context.ts";

const targetKinds = ["keys", "tag", "all"] as const;
/** Flags in the byte of the target kind. */
const againFlag = 0x80;
const traceFlag = 0x40;
const owedFlag = 0x20;
const flags = againFlag | traceFlag | owedFlag;
const fixedBytes = 15;

/** A frame of invalidations. */
export interface InvalidationFrame {
  readonly frameId: number;
  readonly sender: number;
  readonly invalidations: readonly PeerInvalidation[];
}

/** Encodes one frame of invalidations. Throws `FRAME_TOO_LARGE` when a receiver with these limits would refuse it. */
export function encodeInvalidations(frame: InvalidationFrame, limits: FrameLimits): NodeBuffer {
  const writer = new ByteWriter(256);
  writeRequestHeader(writer, "invalidations", frame);
  let keyCount = 0;
  for (const { group, target, fence, again, owedTo, trace: given } of frame.invalidations) {
    const names = targetNames(target);
    const trace = given === undefined ? undefined : readPeerTrace(given);
    keyCount += names.length + (owedTo?.length ?? 0);
    writer.reserve(fixedBytes);
    writer.u8(
      targetKinds.indexOf(target.kind) |
        (again ? againFlag : 0) |
        (owedTo === undefined ? 0 : owedFlag) |
        (trace === undefined ? 0 : traceFlag),
    );
    const groupLengthAt = writer.length;
    writer.u16(0);
    writer.f64(fence);
    writer.u32(names.length);
    const groupLength = writer.key(group);
    checkOutgoing(groupLength, limits.maxGroupBytes, "maxGroupBytes");
    writer.patchU16(groupLengthAt, groupLength);
    writeNames(writer, names, limits);
    if (owedTo !== undefined) {
      writer.reserve(4);
      writer.u32(owedTo.length);
      writeNames(writer, owedTo, limits);
    }
    if (trace !== undefined) writeTrace(writer, trace);
  }
  checkOutgoing(keyCount, limits.maxInvalidationKeys, "maxInvalidationKeys");
  if (writer.length > limits.maxFrameBytes && isTraced(frame)) {
    const invalidations = frame.invalidations.map(({ trace: _, ...untraced }) => untraced);
    return encodeInvalidations({ ...frame, invalidations }, limits);
  }
  checkOutgoing(writer.length, limits.maxFrameBytes, "maxFrameBytes");
  patchRequestCount(writer, frame.invalidations.length);
  return writer.copy();
}

/** Decodes a frame of invalidations. Throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE`. */
export function decodeInvalidations(bytes: Uint8Array, limits: FrameLimits): InvalidationFrame {
  checkLimit(bytes.length, limits.maxFrameBytes, "maxFrameBytes");
  const reader = new ByteReader(bytes);
  const header = readRequestHeader(reader, "invalidations", {
    maxCount: limits.maxInvalidationKeys,
    limitName: "maxInvalidationKeys",
  });
  const invalidations: PeerInvalidation[] = [];
  let keyCount = 0;
  for (let index = 0; index < header.count; index++) {
    reader.need(fixedBytes, "an invalidation's head");
    const kindAndFlags = reader.u8();
    const kind = targetKinds[kindAndFlags & ~flags];
    const groupLength = reader.u16();
    const fence = reader.f64();
    const nameCount = reader.u32();
    if (kind === undefined) throw malformed("unknown invalidation target");
    checkWholeNumber(fence, "fence");
    checkLimit(groupLength, limits.maxGroupBytes, "maxGroupBytes");
    keyCount += nameCount;
    checkLimit(keyCount, limits.maxInvalidationKeys, "maxInvalidationKeys");
    reader.need(groupLength, "a group's name");
    const group = reader.key(groupLength);
    const target = targetOf(kind, readNames(reader, nameCount, limits));
    const again = (kindAndFlags & againFlag) !== 0;
    let invalidation: PeerInvalidation = { group, target, fence };
    if (again) invalidation = { ...invalidation, again };
    if ((kindAndFlags & owedFlag) !== 0) {
      reader.need(4, "the number of nodes");
      const nodeCount = reader.u32();
      keyCount += nodeCount;
      checkLimit(keyCount, limits.maxInvalidationKeys, "maxInvalidationKeys");
      invalidation = { ...invalidation, owedTo: readNames(reader, nodeCount, limits) };
    }
    const trace = (kindAndFlags & traceFlag) === 0 ? undefined : readTrace(reader);
    invalidations.push(trace === undefined ? invalidation : { ...invalidation, trace });
  }
  reader.end();
  return { frameId: header.frameId, sender: header.sender, invalidations };
}

function writeNames(writer: ByteWriter, names: readonly string[], limits: FrameLimits): void {
  for (const name of names) {
    writer.reserve(4);
    const lengthAt = writer.length;
    writer.u32(0);
    const length = writer.key(name);
    checkOutgoing(length, limits.maxKeyBytes, "maxKeyBytes");
    writer.patchU32(lengthAt, length);
  }
}

function readNames(reader: ByteReader, count: number, limits: FrameLimits): string[] {
  const names: string[] = [];
  for (let index = 0; index < count; index++) {
    reader.need(4, "a key's length");
    const length = reader.u32();
    checkLimit(length, limits.maxKeyBytes, "maxKeyBytes");
    reader.need(length, "a key");
    names.push(reader.key(length));
  }
  return names;
}

function isTraced({ invalidations }: InvalidationFrame): boolean {
  return invalidations.some(({ trace }) => trace !== undefined);
}

function targetNames(target: PeerInvalidationTarget): readonly string[] {
  if (target.kind === "keys") return target.keys;
  return target.kind === "tag" ? [target.tag] : [];
}

function targetOf(
  kind: (typeof targetKinds)[number],
  names: readonly string[],
): PeerInvalidationTarget {
  const [first] = names;
  if (kind === "keys") return { kind, keys: names };
  if (kind === "all" && first === undefined) return { kind };
  if (kind === "tag" && first !== undefined && names.length === 1) return { kind, tag: first };
  throw malformed(`an invalidation of "${kind}" with ${names.length} names`);
}

function checkOutgoing(value: number, limit: number, limitName: string): void {
  if (value > limit) {
    throw new ParsecError(
      "FRAME_TOO_LARGE",
      `invalidation exceeds ${limitName}: must be at most ${limit}, got ${value}`,
    );
  }
}

/** A cancellation: the lookups of an earlier frame that no caller waits for any more. */
export interface CancellationFrame {
  readonly frameId: number;
  readonly sender: number;
  readonly indexes: readonly number[];
}

/** Encodes a cancellation. */
export function encodeCancellation(frame: CancellationFrame): NodeBuffer {
  const writer = new ByteWriter(64);
  writeRequestHeader(writer, "cancellation", frame);
  writer.reserve(frame.indexes.length * 2);
  for (const index of frame.indexes) writer.u16(index);
  patchRequestCount(writer, frame.indexes.length);
  return writer.copy();
}

/** Decodes a cancellation. Throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE`. */
export function decodeCancellation(bytes: Uint8Array, limits: FrameLimits): CancellationFrame {
  checkLimit(bytes.length, limits.maxFrameBytes, "maxFrameBytes");
  const reader = new ByteReader(bytes);
  const header: RequestHeader = readRequestHeader(reader, "cancellation", {
    maxCount: largestCount,
    limitName: "the count",
  });
  reader.need(header.count * 2, "the indexes");
  const indexes: number[] = [];
  for (let index = 0; index < header.count; index++) indexes.push(reader.u16());
  reader.end();
  return { frameId: header.frameId, sender: header.sender, indexes };
}
