import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { endMarkName } from "./end-mark.ts";

/** The files of one partition: snapshots, and logs of the operations after the snapshot of the same generation. */
export interface PartitionFiles {
  /** Generations, in ascending order. */
  readonly snapshots: readonly number[];
  readonly logs: readonly number[];
  /** Paths of all other files but incomplete temporary ones. */
  readonly others: readonly string[];
}

export function snapshotPath(folder: string, generation: number): string {
  return join(folder, `${generation}.snapshot`);
}

export function logPath(folder: string, generation: number): string {
  return join(folder, `${generation}.log`);
}

const fileName = /^([1-9]\d{0,14})\.(snapshot|log)$/;
const temporaryName = /^\d+\.(snapshot|log)\.tmp$/;
/** Files that this program has set aside. */
const unusedName = /\.unused-/;

export async function listPartitionFiles(folder: string): Promise<PartitionFiles> {
  const names = await readdir(folder);
  const generations = (ending: string): number[] =>
    names
      .map((name) => fileName.exec(name))
      .filter((found) => found?.[2] === ending)
      .map((found) => Number(found?.[1]))
      .sort((left, right) => left - right);
  const isOther = (name: string): boolean =>
    name !== endMarkName &&
    ![fileName, temporaryName, unusedName].some((known) => known.test(name));
  const others = names.filter(isOther).map((name) => join(folder, name));
  return { snapshots: generations("snapshot"), logs: generations("log"), others };
}

/** Deletes temporary files, which a process left behind that ended while it wrote them. */
export async function deleteTemporaryFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (temporaryName.test(name)) await rm(join(folder, name), { force: true });
  }
}
