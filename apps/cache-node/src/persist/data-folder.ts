import { access, constants, link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isParsecError, ParsecError } from "@parsec/core";
import { describeSelf, isRunning } from "./process-identity.ts";

/** A data folder that is locked by this process until it is closed. */
export interface DataFolder {
  /** Contains a folder for each partition. */
  readonly partitionsFolder: string;
  /** Releases the lock. A second call does nothing. */
  close(): Promise<void>;
}

/** The identity of the data, which must not change while there is data. */
export interface FolderOwner {
  readonly platform: string;
  readonly node: string;
  readonly partitions: number;
}

const format = 1;

/** Locks the folder. Rejects with `INVALID_ARGUMENT` when another process uses it, or it contains the data of another node. */
export async function openDataFolder(folder: string, owner: FolderOwner): Promise<DataFolder> {
  const partitionsFolder = join(folder, "partitions");
  const lock = join(folder, "lock");
  try {
    await mkdir(partitionsFolder, { recursive: true, mode: 0o700 });
    await takeLock(lock, folder);
  } catch (error) {
    if (isParsecError(error)) throw error;
    const cause = (await whyNotWritable(folder)) ?? error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ParsecError("INVALID_ARGUMENT", `--persist cannot use the folder: ${reason}`, {
      cause,
    });
  }
  const close = async (): Promise<void> => {
    if ((await readFile(lock, "utf8").catch(() => "")) === describeSelf()) await rm(lock);
  };
  try {
    await checkOwner(folder, owner);
  } catch (error) {
    await close();
    throw error;
  }
  return { partitionsFolder, close };
}

/** The error of the nearest folder that exists. A failed `mkdir` reports a read-only file system as a missing folder. */
async function whyNotWritable(folder: string): Promise<unknown> {
  for (let at = folder; ; at = dirname(at)) {
    try {
      await access(at, constants.W_OK);
      return undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || at === dirname(at)) return error;
    }
  }
}

async function takeLock(lock: string, folder: string): Promise<void> {
  const own = `${lock}.${process.pid}`;
  await writeFile(own, describeSelf(), { mode: 0o600 });
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        // A link is atomic and fails if the file exists, unlike a rename or a plain write.
        await link(own, lock);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > 3) throw error;
      }
      const holder = await readFile(lock, "utf8").catch(() => "");
      if (isRunning(holder)) {
        const [pid] = holder.split(" ", 1);
        const message = `--persist: the folder ${folder} is in use by process ${pid}`;
        throw new ParsecError("INVALID_ARGUMENT", message);
      }
      // The process of the lock has ended. Renamed first, so that only one of several processes removes it.
      await rename(lock, `${own}.stale`).catch(() => {});
      await rm(`${own}.stale`, { force: true });
    }
  } finally {
    await rm(own, { force: true });
  }
}

async function checkOwner(folder: string, owner: FolderOwner): Promise<void> {
  const file = join(folder, "cache-node.json");
  const wanted = { format, ...owner };
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) {
    await writeFile(`${file}.tmp`, `${JSON.stringify(wanted)}\n`, { mode: 0o600 });
    await rename(`${file}.tmp`, file);
    return;
  }
  const found = parse(text);
  for (const [name, value] of Object.entries(wanted)) {
    if (found[name] === value) continue;
    const there = JSON.stringify(found[name]) ?? "nothing";
    const message = `--persist: the folder ${folder} contains the data of another node: its ${name} is ${there}, not ${JSON.stringify(value)}`;
    throw new ParsecError("INVALID_ARGUMENT", message);
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
