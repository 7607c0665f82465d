import { ParsecError } from "../../errors.ts";
import type { PeerLookup, PeerTrace } from "../../peer.ts";
import { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import {
  checkLimit,
  checkWholeNumber,
  malformed,
  patchRequestCount,
  readRequestHeader,
  requestHeaderBytes,
  writeRequestHeader,
} from "./layout.ts";
import type { FrameLimits } from "./limits.ts";
import { readPeerTrace, readTrace, writeTrace } from "./trace-context.ts";

const inputFlag = 1;
const fenceFlag = 2;
const newGroupFlag = 4;
const memoryOnlyFlag = 8;
const traceFlag = 16;
const knownFlags = inputFlag | fenceFlag | newGroupFlag | memoryOnlyFlag | traceFlag;

const fixedBytes = 11;
const longestTimeoutMs = 0xffffffff;

/** Encodes frames of lookups. Create one per peer and reuse it for every frame. */
export class LookupFrameWriter {
  readonly #limits: FrameLimits;
  readonly #writer: ByteWriter;
  readonly #sender: number;
  readonly #groups: Map<string, number> = new Map();
  #count = 0;
  #lastGroup = "";
  #lastGroupNumber = -1;

  constructor(
    writer: ByteWriter,
    options: { readonly limits: FrameLimits; readonly sender: number },
  ) {
    this.#writer = writer;
    this.#limits = options.limits;
    this.#sender = options.sender;
  }

  get count(): number {
    return this.#count;
  }

  /** Starts a frame and drops an unfinished one. */
  begin(frameId: number): void {
    this.#writer.truncate(0);
    writeRequestHeader(this.#writer, "lookups", { frameId, sender: this.#sender });
    this.#count = 0;
    this.#groups.clear();
    this.#lastGroupNumber = -1;
  }

  /**
   * Appends a lookup with `timeoutMs` left. Returns false when the frame is full: finish it, begin another and
   * add the lookup there. Throws `KEY_TOO_LARGE` or `FRAME_TOO_LARGE` when it fits into no frame.
   */
  add(lookup: PeerLookup, timeoutMs: number): boolean {
    const limits = this.#limits;
    if (this.#count >= limits.maxLookups) return false;
    const writer = this.#writer;
    const start = writer.length;
    const input = lookup.input;
    const trace = lookup.trace === undefined ? undefined : readPeerTrace(lookup.trace);
    const group = this.#groupNumber(lookup.group);
    const isNew = group === this.#groups.size;
    const flags =
      (input === undefined ? 0 : inputFlag) |
      (lookup.fence === 0 ? 0 : fenceFlag) |
      (lookup.memoryOnly ? memoryOnlyFlag : 0) |
      (trace === undefined ? 0 : traceFlag) |
      (isNew ? newGroupFlag : 0);
    writer.reserve(fixedBytes + 14);
    writer.u8(flags);
    writer.u16(group);
    writer.u32(Math.min(timeoutMs, longestTimeoutMs));
    const keyLengthAt = writer.length;
    writer.u32(0);
    const groupLengthAt = writer.length;
    if (isNew) writer.u16(0);
    if (lookup.fence !== 0) writer.f64(lookup.fence);
    if (input !== undefined) {
      if (input.length > limits.maxInputBytes) {
        writer.truncate(start);
        throw tooLarge("FRAME_TOO_LARGE", "input", [input.length, limits.maxInputBytes]);
      }
      writer.u32(input.length);
    }
    if (isNew) {
      const length = writer.key(lookup.group);
      if (length > limits.maxGroupBytes) {
        writer.truncate(start);
        throw tooLarge("FRAME_TOO_LARGE", "group name", [length, limits.maxGroupBytes]);
      }
      writer.patchU16(groupLengthAt, length);
    }
    const keyLength = writer.key(lookup.key);
    if (keyLength > limits.maxKeyBytes) {
      writer.truncate(start);
      throw tooLarge("KEY_TOO_LARGE", "key", [keyLength, limits.maxKeyBytes]);
    }
    writer.patchU32(keyLengthAt, keyLength);
    if (input !== undefined) writer.bytes(input);
    if (trace !== undefined) writeTrace(writer, trace);
    if (writer.length > limits.maxFrameBytes) {
      if (this.#count > 0) {
        writer.truncate(start);
        return false;
      }
      if (trace !== undefined) {
        writer.truncate(start);
        return this.add({ ...lookup, trace: undefined }, timeoutMs);
      }
    }
    this.#count++;
    this.#lastGroup = lookup.group;
    this.#lastGroupNumber = group;
    if (isNew) this.#groups.set(lookup.group, group);
    return true;
  }

  /** The finished frame, as a copy. */
  finish(): Buffer {
    patchRequestCount(this.#writer, this.#count);
    return this.#writer.copy();
  }

  /** The group's number in this frame; the next free number for a new group. */
  #groupNumber(group: string): number {
    // Most frames contain one group, so this comparison saves the map lookup.
    if (this.#lastGroupNumber >= 0 && group === this.#lastGroup) return this.#lastGroupNumber;
    return this.#groups.get(group) ?? this.#groups.size;
  }
}

function tooLarge(
  code: "KEY_TOO_LARGE" | "FRAME_TOO_LARGE",
  field: string,
  [bytes, limit]: readonly [number, number],
): ParsecError {
  return new ParsecError(
    code,
    `${field} must have at most ${limit} bytes to be sent to a peer, got ${bytes}`,
  );
}

/** A decoded lookup. Its input is a view of the frame. */
class DecodedLookup implements PeerLookup {
  readonly group: string;
  readonly key: string;
  readonly input: Uint8Array | undefined;
  readonly fence: number;
  readonly timeoutMs: number;
  readonly memoryOnly: boolean;

  constructor(
    group: string,
    key: string,
    rest: {
      input: Uint8Array | undefined;
      fence: number;
      timeoutMs: number;
      memoryOnly: boolean;
    },
  ) {
    this.group = group;
    this.key = key;
    this.input = rest.input;
    this.fence = rest.fence;
    this.timeoutMs = rest.timeoutMs;
    this.memoryOnly = rest.memoryOnly;
  }
}

/** A subclass, so that untraced lookups stay small. */
class TracedLookup extends DecodedLookup {
  readonly trace: PeerTrace;

  constructor(lookup: DecodedLookup, trace: PeerTrace) {
    super(lookup.group, lookup.key, lookup);
    this.trace = trace;
  }
}

/** A decoded frame of lookups. */
export interface LookupFrame {
  readonly frameId: number;
  readonly sender: number;
  readonly lookups: readonly PeerLookup[];
}

/**
 * Decodes a whole frame of lookups, before any of them takes effect. Throws `MALFORMED_FRAME` or
 * `FRAME_TOO_LARGE` naming the field or the limit.
 */
export function decodeLookups(bytes: Uint8Array, limits: FrameLimits): LookupFrame {
  checkLimit(bytes.length, limits.maxFrameBytes, "maxFrameBytes");
  const reader = new ByteReader(bytes);
  const { frameId, sender, count } = readRequestHeader(reader, "lookups", {
    maxCount: limits.maxLookups,
    limitName: "maxLookups",
  });
  if (bytes.length - requestHeaderBytes < count * fixedBytes) {
    throw malformed(`the frame announces ${count} lookups but has no room for them`);
  }
  const groups: string[] = [];
  const lookups: PeerLookup[] = [];
  for (let index = 0; index < count; index++) {
    lookups.push(decodeLookup(reader, groups, limits));
  }
  reader.end();
  return { frameId, sender, lookups };
}

function decodeLookup(reader: ByteReader, groups: string[], limits: FrameLimits): PeerLookup {
  reader.need(fixedBytes, "a lookup's head");
  const flags = reader.u8();
  const groupNumber = reader.u16();
  const timeoutMs = reader.u32();
  const keyLength = reader.u32();
  if ((flags & ~knownFlags) !== 0) throw malformed(`unknown lookup flags ${flags}`);
  checkLimit(keyLength, limits.maxKeyBytes, "maxKeyBytes");
  let groupLength = 0;
  let fence = 0;
  let inputLength = 0;
  if ((flags & newGroupFlag) !== 0) {
    reader.need(2, "a group name's length");
    groupLength = reader.u16();
    checkLimit(groupLength, limits.maxGroupBytes, "maxGroupBytes");
    if (groupNumber !== groups.length) throw malformed("group numbers are not in order");
  } else if (groupNumber >= groups.length) {
    throw malformed(`group ${groupNumber} was not named before its first use`);
  }
  if ((flags & fenceFlag) !== 0) {
    reader.need(8, "a fence");
    fence = reader.f64();
    checkWholeNumber(fence, "fence");
  }
  if ((flags & inputFlag) !== 0) {
    reader.need(4, "an input's length");
    inputLength = reader.u32();
    checkLimit(inputLength, limits.maxInputBytes, "maxInputBytes");
  }
  reader.need(groupLength + keyLength + inputLength, "a lookup's group, key or input");
  if ((flags & newGroupFlag) !== 0) groups.push(reader.key(groupLength));
  const key = reader.key(keyLength);
  const input = (flags & inputFlag) === 0 ? undefined : reader.bytes(inputLength);
  const memoryOnly = (flags & memoryOnlyFlag) !== 0;
  const lookup = new DecodedLookup(groups[groupNumber] as string, key, {
    input,
    fence,
    timeoutMs,
    memoryOnly,
  });
  const trace = (flags & traceFlag) === 0 ? undefined : readTrace(reader);
  return trace === undefined ? lookup : new TracedLookup(lookup, trace);
}
