import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Position } from "@parsec/ring";
import { checkHead, encodeHead, encodePosition, takePosition } from "./file-heads.ts";
import { frameOf, readFrames } from "./record-frames.ts";

/*
 * A file of a partition's folder that says how far its logs reached at least. Without it, a log that was cut between two
 * records, or a last log that is missing, would look sound.
 */

export const endMarkName = "end";
const magic = "PCED";

/** What the mark says. */
export interface EndMark {
  /** Undefined without a mark: then only the other files can tell. */
  readonly position: Position | undefined;
  /** Why it cannot be read. */
  readonly fault: string | undefined;
}

/** Writes the mark in place: one small write, so that it can be done each second. Throws when that fails. */
export function writeEndMark(folder: string, partition: number, position: Position): void {
  const frame = frameOf(encodeHead(magic, partition), encodePosition(position));
  const flags = constants.O_WRONLY | constants.O_CREAT;
  const descriptor = openSync(join(folder, endMarkName), flags, 0o600);
  try {
    writeSync(descriptor, frame, 0, frame.length, 0);
  } finally {
    closeSync(descriptor);
  }
}

/** Reads the mark. Never rejects. */
export async function readEndMark(folder: string, partition: number): Promise<EndMark> {
  try {
    for await (const found of readFrames(join(folder, endMarkName))) {
      if (found.kind !== "frame") break;
      const { position } = takePosition(checkHead(magic, found.payload, partition));
      return { position, fault: undefined };
    }
    return { position: undefined, fault: "it is damaged" };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { position: undefined, fault: code === "ENOENT" ? undefined : message };
  }
}
