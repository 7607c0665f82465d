import { open } from "node:fs/promises";

/** A file that was created or renamed is there after a power cut only when its folder was forced to the disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
