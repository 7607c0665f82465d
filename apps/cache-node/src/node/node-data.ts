import type { PartitionState } from "@parsec/ring";
import type { Logger } from "pino";
import { CacheData } from "../cache/cache-data.ts";
import { createCacheState } from "../cache/cache-state.ts";
import { startSweeper } from "../cache/sweeper.ts";
import { openDataFolder } from "../persist/data-folder.ts";
import { openPersistentState, type PersistentState } from "../persist/persistent-state.ts";
import type { NodeConfig } from "./node-config.ts";

/** The data of a node: in memory, and on disk with `--persist`. */
export interface NodeData {
  readonly data: CacheData;
  readonly state: PartitionState;
  /** Undefined for memory only. */
  readonly persistent: PersistentState | undefined;
  /** Stops sweeping, and syncs the files. A second call does nothing. */
  close(): Promise<void>;
}

/** Opens the data of a node: locks and reads its folder, if there is one. Rejects when the folder cannot be used. */
export async function openNodeData(
  config: NodeConfig,
  { now, log }: { readonly now: () => number; readonly log: Logger },
): Promise<NodeData> {
  const { persist, platform, node, partitions, sync } = config;
  const data = new CacheData(now);
  const memory = createCacheState(data, node);
  const stopSweeper = startSweeper(data);
  if (persist === undefined) {
    return { data, state: memory, persistent: undefined, close: async () => stopSweeper() };
  }
  const folder = await openDataFolder(persist, { platform, node, partitions });
  try {
    const { partitionsFolder } = folder;
    const options = { folder: partitionsFolder, partitions, sync, log };
    const persistent = await openPersistentState(memory, options);
    return {
      data,
      state: persistent.state,
      persistent,
      async close() {
        stopSweeper();
        await persistent.close();
        await folder.close();
      },
    };
  } catch (error) {
    stopSweeper();
    await folder.close();
    throw error;
  }
}
