import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** The files of one partition: snapshots, and logs of the operations after the snapshot of the same generation. */
export interface PartitionFiles {
  /** Generations, in ascending order. */
  readonly snapshots: readonly number[];
  readonly logs: readonly number[];
}

export function snapshotPath(folder: string, generation: number): string {
  return join(folder, `${generation}.snapshot`);
}

export function logPath(folder: string, generation: number): string {
  return join(folder, `${generation}.log`);
}

/** Lists the files, and deletes incomplete temporary ones. */
export async function listPartitionFiles(folder: string): Promise<PartitionFiles> {
  const names = await readdir(folder);
  for (const name of names) if (name.endsWith(".tmp")) await rm(join(folder, name));
  const generations = (ending: string): number[] =>
    names
      .map((name) => new RegExp(`^(\\d{1,15})\\.${ending}$`).exec(name)?.[1])
      .filter((digits) => digits !== undefined)
      .map(Number)
      .sort((left, right) => left - right);
  return { snapshots: generations("snapshot"), logs: generations("log") };
}
