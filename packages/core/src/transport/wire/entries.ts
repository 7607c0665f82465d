import type { PeerEntry, PeerHandOver } from "../../peer.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import {
  checkLimit,
  checkWholeNumber,
  largestCount,
  malformed,
  patchRequestCount,
  readRequestHeader,
  requestHeaderBytes,
  writeRequestHeader,
} from "./layout.ts";
import type { FrameLimits } from "./limits.ts";

const ttlFlag = 1;
const fenceFlag = 2;
const valueFlag = 4;
const knownFlags = ttlFlag | fenceFlag | valueFlag;
/** Flags, key length, number of tags. */
const fixedBytes = 7;
/** The fields that depend on flags. */
const optionalBytes = 20;
/** Ticket and length of the group name. */
const partHeadBytes = 10;

/** A frame with part of a hand-over. */
export interface EntryFrame {
  readonly frameId: number;
  readonly sender: number;
  readonly part: PeerHandOver;
}

/**
 * Encodes part of a hand-over as one frame. Entries beyond the limits are omitted: their next owner fetches
 * them on demand.
 */
export function encodeEntries(
  frame: EntryFrame,
  limits: Pick<
    FrameLimits,
    "maxFrameBytes" | "maxLookups" | "maxKeyBytes" | "maxValueBytes" | "maxGroupBytes"
  >,
): Buffer {
  const { group, ticket, entries } = frame.part;
  const writer = new ByteWriter(4096);
  writeRequestHeader(writer, "entries", frame);
  writer.reserve(partHeadBytes);
  writer.f64(ticket);
  const lengthAt = writer.length;
  writer.u16(0);
  const length = writer.key(group);
  checkLimit(length, limits.maxGroupBytes, "maxGroupBytes");
  writer.patchU16(lengthAt, length);
  let count = 0;
  for (const entry of entries) {
    if (count === limits.maxLookups) break;
    const start = writer.length;
    const fits = writeEntry(writer, entry, limits) && writer.length <= limits.maxFrameBytes;
    if (fits) count++;
    else writer.truncate(start);
  }
  patchRequestCount(writer, count);
  return writer.copy();
}

function writeEntry(
  writer: ByteWriter,
  entry: PeerEntry,
  limits: Pick<FrameLimits, "maxKeyBytes" | "maxValueBytes">,
): boolean {
  const { value, ttlMs, tags, fence } = entry;
  if (tags.length > largestCount || (value?.length ?? 0) > limits.maxValueBytes) return false;
  const hasTtl = ttlMs !== Number.POSITIVE_INFINITY;
  writer.reserve(fixedBytes + optionalBytes);
  writer.u8(
    (hasTtl ? ttlFlag : 0) | (fence === 0 ? 0 : fenceFlag) | (value === undefined ? 0 : valueFlag),
  );
  const keyLengthAt = writer.length;
  writer.u32(0);
  writer.u16(tags.length);
  if (hasTtl) writer.f64(ttlMs);
  if (fence !== 0) writer.f64(fence);
  if (value !== undefined) writer.u32(value.length);
  const keyLength = writer.key(entry.key);
  if (keyLength > limits.maxKeyBytes) return false;
  writer.patchU32(keyLengthAt, keyLength);
  for (const tag of tags) {
    writer.reserve(2);
    const lengthAt = writer.length;
    writer.u16(0);
    const length = writer.key(tag);
    if (length > Math.min(largestCount, limits.maxKeyBytes)) return false;
    writer.patchU16(lengthAt, length);
  }
  if (value !== undefined) writer.bytes(value);
  return true;
}

/** Decodes a frame of entries. Values are views of it. Throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE`. */
export function decodeEntries(bytes: Uint8Array, limits: FrameLimits): EntryFrame {
  checkLimit(bytes.length, limits.maxFrameBytes, "maxFrameBytes");
  const reader = new ByteReader(bytes);
  const { frameId, sender, count } = readRequestHeader(reader, "entries", {
    maxCount: limits.maxLookups,
    limitName: "maxLookups",
  });
  if (bytes.length - requestHeaderBytes - partHeadBytes < count * fixedBytes) {
    throw malformed(`the frame announces ${count} entries but has no room for them`);
  }
  reader.need(partHeadBytes, "a ticket or a group name's length");
  const ticket = reader.f64();
  const groupLength = reader.u16();
  checkWholeNumber(ticket, "ticket");
  checkLimit(groupLength, limits.maxGroupBytes, "maxGroupBytes");
  reader.need(groupLength, "a group name");
  const group = reader.key(groupLength);
  const entries: PeerEntry[] = [];
  for (let index = 0; index < count; index++) entries.push(readEntry(reader, limits));
  reader.end();
  return { frameId, sender, part: { group, ticket, entries } };
}

function readEntry(reader: ByteReader, limits: FrameLimits): PeerEntry {
  reader.need(fixedBytes, "an entry's head");
  const flags = reader.u8();
  const keyLength = reader.u32();
  const tagCount = reader.u16();
  if ((flags & ~knownFlags) !== 0) throw malformed(`unknown entry flags ${flags}`);
  checkLimit(keyLength, limits.maxKeyBytes, "maxKeyBytes");
  let ttlMs = Number.POSITIVE_INFINITY;
  if ((flags & ttlFlag) !== 0) {
    reader.need(8, "a time to live");
    ttlMs = reader.f64();
    if (!(ttlMs >= 0)) throw malformed(`time to live must be at least 0, got ${ttlMs}`);
  }
  let fence = 0;
  if ((flags & fenceFlag) !== 0) {
    reader.need(8, "a fence");
    fence = reader.f64();
    checkWholeNumber(fence, "fence");
  }
  let valueLength = 0;
  if ((flags & valueFlag) !== 0) {
    reader.need(4, "a value's length");
    valueLength = reader.u32();
    checkLimit(valueLength, limits.maxValueBytes, "maxValueBytes");
  }
  reader.need(keyLength, "an entry's key");
  const key = reader.key(keyLength);
  const tags: string[] = [];
  for (let index = 0; index < tagCount; index++) {
    reader.need(2, "a tag's length");
    const length = reader.u16();
    checkLimit(length, limits.maxKeyBytes, "maxKeyBytes");
    reader.need(length, "a tag");
    tags.push(reader.key(length));
  }
  let value: Buffer | undefined;
  if ((flags & valueFlag) !== 0) {
    reader.need(valueLength, "a value");
    value = reader.bytes(valueLength);
  }
  return { key, value, ttlMs, tags, fence };
}
