/* Frames of native peers as bytes, hand-written after core's `transport/wire/layout.ts`. */

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(" ", ""), "hex");
}

const sender = "000000000000f03f";

/** A frame of lookups for these keys (default "k") in group "g", with a timeout of one second. */
export function lookupFrame(frameId: number, ...keys: readonly string[]): Buffer {
  const wanted = keys.length === 0 ? ["k"] : keys;
  const lookups = wanted.map((key, index) => {
    // Only the first lookup has the name of the group.
    const head = hex(index === 0 ? "04 0000 e8030000 00000000 0100" : "00 0000 e8030000 00000000");
    head.writeUInt32LE(Buffer.byteLength(key), 7);
    return Buffer.concat([head, Buffer.from(index === 0 ? `g${key}` : key)]);
  });
  const frame = Buffer.concat([hex(`50010100 00000000 ${sender} 0000`), ...lookups]);
  frame.writeUInt32LE(frameId, 4);
  frame.writeUInt16LE(wanted.length, 16);
  return frame;
}

/** An invalidation of all keys in group "g". */
export function invalidationFrame(frameId: number): Buffer {
  const frame = hex(`50010300 00000000 ${sender} 0100  02 0100 000000000000f03f 00000000 67`);
  frame.writeUInt32LE(frameId, 4);
  return frame;
}

/** A request for a ticket to hand over entries of group "g". */
export function entriesFrame(frameId: number): Buffer {
  const frame = hex(`50010500 00000000 ${sender} 0000  0000000000000000 0100 67`);
  frame.writeUInt32LE(frameId, 4);
  return frame;
}

/** Cancels the first lookup of a frame. */
export function cancellationFrame(frameId: number): Buffer {
  const frame = hex(`50010400 00000000 ${sender} 0100 0000`);
  frame.writeUInt32LE(frameId, 4);
  return frame;
}

/** A frame that answers the first lookup with "v", which never expires. */
export function answerFrame(frameId: number): Buffer {
  const frame = hex("50010200 00000000 01 0000 01000000 76");
  frame.writeUInt32LE(frameId, 4);
  return frame;
}

/** A frame that acknowledges the first invalidation. */
export function appliedFrame(frameId: number): Buffer {
  const frame = hex("50010200 00000000 04 0000");
  frame.writeUInt32LE(frameId, 4);
  return frame;
}
