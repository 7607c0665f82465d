import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Position } from "@parsec/ring";
import { checkHead, encodeHead, encodePosition, takePosition } from "./file-heads.ts";
import { frameOf, readFrames } from "./record-frames.ts";
import { syncFolder } from "./sync-folder.ts";

const magic = "PCSN";
const dataMark = Uint8Array.of(1);
const endMark = Uint8Array.of(2);

/**
 * Writes a snapshot to a temporary file, syncs it, and renames it, so that it is complete or absent. Calls `mayFinish`
 * before the rename. Resolves with its size, or 0 when `mayFinish` returned false.
 */
export async function writeSnapshot(
  path: string,
  snapshot: {
    readonly partition: number;
    readonly position: Position;
    readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  },
  mayFinish: () => boolean = () => true,
): Promise<number> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, "w", 0o600);
  let bytes = 0;
  try {
    const write = async (...pieces: readonly Uint8Array[]): Promise<void> => {
      const frame = frameOf(...pieces);
      await file.writeFile(frame);
      bytes += frame.length;
    };
    await write(encodeHead(magic, snapshot.partition), encodePosition(snapshot.position));
    for await (const chunk of snapshot.chunks) await write(dataMark, chunk);
    await write(endMark);
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(temporary, { force: true });
    throw error;
  }
  await file.close();
  if (!mayFinish()) {
    await rm(temporary, { force: true });
    return 0;
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
  return bytes;
}

/** Opens a snapshot: its position, and its chunks, which throw when it is damaged. */
export async function readSnapshot(
  path: string,
  partition: number,
): Promise<{ readonly position: Position; readonly chunks: AsyncIterable<Uint8Array> }> {
  const frames = readFrames(path);
  const first = await frames.next();
  if (first.done === true || first.value.kind !== "frame")
    throw damagedAt(0, "its head is damaged");
  const { position } = takePosition(checkHead(magic, first.value.payload, partition));
  return { position, chunks: chunksOf(frames) };
}

async function* chunksOf(frames: ReturnType<typeof readFrames>): AsyncGenerator<Uint8Array> {
  let hasEnded = false;
  let endsAt = 0;
  for await (const found of frames) {
    if (found.kind === "damaged") throw damagedAt(found.at, found.reason);
    if (found.kind === "torn") throw damagedAt(found.at, "a record is incomplete");
    if (hasEnded) throw damagedAt(found.at, "records follow its end");
    endsAt = found.endsAt;
    hasEnded = found.payload[0] === endMark[0];
    if (!hasEnded) yield found.payload.subarray(1);
  }
  if (!hasEnded) throw damagedAt(endsAt, "its end is missing");
}

/** An error with the offset at which the file is damaged. */
function damagedAt(offset: number, reason: string): Error & { readonly offset: number } {
  return Object.assign(new Error(reason), { offset });
}
