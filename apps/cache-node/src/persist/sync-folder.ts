import { open } from "node:fs/promises";

/** Syncs a folder, so that files created or renamed in it survive a power failure. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
