import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ParsecError } from "@parsec/core";
import { decodeSnapshot } from "../cache/cache-snapshot.ts";
import { damagedPartitionOf, isSetAside } from "./damaged-partitions.ts";
import { describePosition } from "./positions.ts";
import { isRunning } from "./process-identity.ts";
import { type FoundPartition, type PartitionSink, readPartition } from "./read-partition.ts";

/** What `check` prints, and whether all data is sound. */
export interface FolderReport {
  readonly isSound: boolean;
  readonly lines: readonly string[];
}

/**
 * Reads a data folder of a node, and says what each partition holds. Changes nothing. Rejects with `INVALID_ARGUMENT`
 * when it is not such a folder.
 */
export async function checkFolder(folder: string): Promise<FolderReport> {
  const partitions = join(folder, "partitions");
  const names = await readdir(partitions).catch((error: NodeJS.ErrnoException) => {
    const reason = `${folder} is not the data folder of a cache node: ${error.message}`;
    throw new ParsecError("INVALID_ARGUMENT", reason, { cause: error });
  });
  const lines: string[] = [];
  const [holder = ""] = (await readFile(join(folder, "lock"), "utf8").catch(() => "")).split("\n");
  if (isRunning(holder)) {
    const [pid] = holder.split(" ", 1);
    lines.push(`process ${pid} uses the folder: files may change while they are read`);
  }
  let isSound = true;
  const inOrder = names.sort((left, right) => left.localeCompare(right, "en", { numeric: true }));
  for (const name of inOrder) {
    const path = join(partitions, name);
    const aside = damagedPartitionOf(name);
    const isLive = /^(0|[1-9]\d{0,3})$/.test(name);
    if (!isLive && aside === undefined) {
      const what = isSetAside(name) ? "replaced by a sound copy" : "not a file of a cache node";
      lines.push(`${path}: ${what}; not read`);
      continue;
    }
    const counted = countingSink();
    const found = await readPartition({
      folder: path,
      partition: aside ?? Number(name),
      sink: counted.sink,
    });
    const { size } = await stat(path).catch(() => ({ size: 0 }));
    if (size === 0 && found.position === undefined && found.damage === undefined) continue;
    if (found.damage !== undefined || aside !== undefined) isSound = false;
    lines.push(
      ...describe(found, { path, entries: counted.entries(), isAside: aside !== undefined }),
    );
  }
  lines.push(isSound ? "sound" : "damaged: see above");
  return { isSound, lines };
}

function describe(
  { position, records, torn, unused, damage }: FoundPartition,
  at: { readonly path: string; readonly entries: number; readonly isAside: boolean },
): string[] {
  const { path, entries, isAside } = at;
  const held =
    position === undefined
      ? "no records"
      : `${entries} entries of a snapshot, ${records} records after it, last position ${describePosition(position)}`;
  const state = damage === undefined ? "sound" : "DAMAGED";
  const lines = [`${path}: ${state}${isAside ? ", set aside" : ""}: ${held}`];
  if (damage !== undefined) {
    const { path: file, offset, reason, atLeast } = damage;
    lines.push(`  ${file}: damaged at byte ${offset}: ${reason}`);
    lines.push(
      `  the data before that can be read; it had reached position ${describePosition(atLeast)}`,
    );
  }
  if (torn !== undefined) {
    lines.push(
      `  ${torn.path}: an incomplete record at byte ${torn.endsAt}, which a start cuts off`,
    );
  }
  for (const each of unused) lines.push(`  ${each.path}: not used: ${each.reason}`);
  return lines;
}

/** Decodes the data, so that it is known to be readable, and counts what a snapshot holds. */
function countingSink(): { readonly sink: PartitionSink; entries(): number } {
  let entries = 0;
  let most = 0;
  const sink: PartitionSink = {
    reset() {
      most = Math.max(most, entries);
      entries = 0;
    },
    async restore(chunks) {
      for await (const _entry of decodeSnapshot(chunks)) entries++;
    },
    apply() {},
  };
  return { sink, entries: () => Math.max(most, entries) };
}
