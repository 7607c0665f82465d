import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/**
 * Runs a bundle in an empty folder, where nothing that it forgot can be found.
 *
 * @param {import("../consumer.mjs").ConsumerPlace} place
 * @param {string} file
 */
export async function runBundle({ folder, exec }, file) {
  const empty = await mkdtemp(join(tmpdir(), "parsec-bundle-"));
  try {
    await copyFile(join(folder, file), join(empty, basename(file)));
    await exec(process.execPath, [basename(file)], { cwd: empty });
  } finally {
    await rm(empty, { recursive: true, force: true });
  }
}
