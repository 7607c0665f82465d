import { accessSync, constants, lstatSync, mkdirSync, type Stats } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { ParsecError } from "../../errors.ts";
import { invalidArgument } from "../../option-checks.ts";

/** Where {@link hostFolder} may be created. For tests; the defaults come from the environment. */
export interface HostPlaces {
  /** A folder of this user that the system removes at logout: `$XDG_RUNTIME_DIR`. Used if it is absolute, of this user and writable by this user alone. */
  readonly runtimeDir: string | undefined;
  /** A folder for temporary files of all users. */
  readonly tempDir: string;
}

/**
 * Returns the folder that processes of one user on one host share, for sockets and secrets: `parsec` in
 * `$XDG_RUNTIME_DIR`, else `parsec-<uid>` in the system's temporary folder. Creates it with mode 0700. Throws
 * `INVALID_ARGUMENT` when it cannot be created, is not a folder, or when another user owns it or may enter it.
 */
export function hostFolder(places: HostPlaces = environmentPlaces()): string {
  const { runtimeDir, tempDir } = places;
  const uid = process.getuid?.();
  const path =
    runtimeDir !== undefined && isUsable(runtimeDir)
      ? join(runtimeDir, "parsec")
      : join(tempDir, uid === undefined ? "parsec" : `parsec-${uid}`);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unusable(path, reasonOf(error));
  }
  checkPrivate(path, "folder");
  return path;
}

function environmentPlaces(): HostPlaces {
  return { runtimeDir: process.env.XDG_RUNTIME_DIR, tempDir: tmpdir() };
}

/** Throws `INVALID_ARGUMENT` unless `path` is a folder or file of this user that no other user can read or write. Symbolic links are refused. */
export function checkPrivate(path: string, kind: "folder" | "file"): void {
  let found: Stats;
  try {
    found = lstatSync(path);
  } catch (error) {
    throw unusable(path, reasonOf(error));
  }
  const isKind = kind === "folder" ? found.isDirectory() : found.isFile();
  if (!isKind) throw unusable(path, `not a ${kind}`);
  // Windows has neither user ids nor modes; its temporary folder belongs to the user.
  if (process.getuid === undefined) return;
  if (found.uid !== process.getuid()) throw unusable(path, `owned by user ${found.uid}`);
  if ((found.mode & 0o077) === 0) return;
  throw unusable(path, `with mode ${(found.mode & 0o777).toString(8).padStart(4, "0")}`);
}

function isUsable(runtimeDir: string): boolean {
  if (!isAbsolute(runtimeDir)) return false;
  try {
    const found = lstatSync(runtimeDir);
    accessSync(runtimeDir, constants.W_OK | constants.X_OK);
    return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
  } catch {
    return false;
  }
}

/** Creates the error for a file or folder of the host that cannot be used. The message has no content of files. */
export function unusable(path: string, reason: string): ParsecError {
  return invalidArgument(
    `${path} must be accessible to this user alone (it is shared by the processes of this host), got ${reason}`,
  );
}

/** The code of a system error, such as EACCES. */
export function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
