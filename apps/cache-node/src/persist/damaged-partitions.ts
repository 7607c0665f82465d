import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Position } from "@parsec/ring";
import { laterOf, startPosition } from "./positions.ts";

/*
 * <n>.damaged-<ms>     the folder of partition n, whose data could not be trusted at that Unix time
 * <n>.superseded-<ms>  the same, after a sound copy of another node has replaced it; no longer read
 */

const damagedName = /^(0|[1-9]\d{0,3})\.damaged-\d+$/;
const keptName = /^\d+\.(damaged|superseded)-\d+$/;

/** The partition of a folder that was set aside because of damage; undefined for other names. */
export function damagedPartitionOf(name: string): number | undefined {
  const digits = damagedName.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Whether a folder was set aside, replaced or not. */
export function isSetAside(name: string): boolean {
  return keptName.test(name);
}

/** The partitions whose data on disk is damaged, until a sound copy replaces it. Their files are renamed, never deleted. */
export class DamagedPartitions {
  readonly #folder: string;
  readonly #atLeast: Map<number, Position> = new Map();

  /** `folder` contains a folder for each partition. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  get partitions(): readonly number[] {
    return [...this.#atLeast.keys()].sort((left, right) => left - right);
  }

  /** The position that the data had at least; undefined for a partition that is not damaged. */
  atLeast(partition: number): Position | undefined {
    return this.#atLeast.get(partition);
  }

  /** Remembers damage in a folder that was set aside earlier. */
  add(partition: number, atLeast: Position): void {
    this.#atLeast.set(partition, laterOf(this.#atLeast.get(partition) ?? startPosition, atLeast));
  }

  /** Renames the partition's folder; returns the new path. Throws when that fails. */
  setAside(partition: number, atLeast: Position): string {
    const moved = join(this.#folder, `${partition}.damaged-${Date.now()}`);
    renameSync(join(this.#folder, String(partition)), moved);
    this.add(partition, atLeast);
    return moved;
  }

  /** Marks the damage of a partition as replaced by sound data. */
  supersede(partition: number): void {
    for (const name of readdirSync(this.#folder)) {
      if (damagedPartitionOf(name) !== partition) continue;
      const path = join(this.#folder, name);
      renameSync(path, path.replace(/\.damaged-(\d+)$/, ".superseded-$1"));
    }
    this.#atLeast.delete(partition);
  }
}
