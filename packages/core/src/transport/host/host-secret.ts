import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { checkPrivate, hostFolder, reasonOf, unusable } from "./host-folder.ts";

/** 32 bytes as base64url. */
const wholeSecret = /^[A-Za-z0-9_-]{43}$/;

/** Damaged files are passed over, so that a later name is needed only after damage from outside. */
const maxFiles = 16;

/**
 * Returns the secret that processes of one user on one host share: 32 random bytes as base64url, in a file of
 * mode 0600 in {@link hostFolder}, created by the first process. Processes started together get the same one.
 * Throws `INVALID_ARGUMENT` when the file cannot be created, or is not this user's alone.
 */
export function hostSecret(folder: string = hostFolder()): string {
  for (let number = 0; number < maxFiles; number++) {
    const path = join(folder, number === 0 ? "secret" : `secret.${number}`);
    const secret = readWhole(path) ?? createOnce(path);
    // A damaged file is never replaced: a process that did so could remove what another has just written.
    if (secret !== undefined) return secret;
  }
  throw unusable(join(folder, "secret"), `${maxFiles} damaged files`);
}

/** The secret in the file; undefined when the file is missing or is not a whole secret. */
function readWhole(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch (error) {
    if (reasonOf(error) === "ENOENT") return undefined;
    throw unusable(path, reasonOf(error));
  }
  checkPrivate(path, "file");
  return wholeSecret.test(text) ? text : undefined;
}

/** Creates the file whole, by a link, and returns its secret or the one of a process that was faster. Undefined when a damaged file is in the way. */
function createOnce(path: string): string | undefined {
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  try {
    const file = openSync(draft, "wx", 0o600);
    try {
      writeSync(file, randomBytes(32).toString("base64url"));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    linkSync(draft, path);
  } catch (error) {
    if (reasonOf(error) !== "EEXIST") throw unusable(path, reasonOf(error));
  } finally {
    rmSync(draft, { force: true });
  }
  return readWhole(path);
}
