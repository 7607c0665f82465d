import { constants } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { ParsecError } from "@parsec/core";

/** Folders of package managers that may be missing in PATH. */
const usualFolders = ["/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin"];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Finds the program nats-server: by `PARSEC_NATS_SERVER`, on PATH, in the usual folders, or where `pnpm test` of this
 * repository keeps the one it has built. Throws `INVALID_ARGUMENT` with instructions to install it.
 */
export async function findNatsServer(env: Environment): Promise<string> {
  const named = env.PARSEC_NATS_SERVER?.trim();
  if (named) {
    if (await canRun(named)) return resolve(named);
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `PARSEC_NATS_SERVER must be the path of a program, got ${named}`,
    );
  }
  const onPath = (env.PATH ?? "").split(delimiter).filter((folder) => isAbsolute(folder));
  for (const folder of [...onPath, ...usualFolders]) {
    const program = join(folder, "nats-server");
    if (await canRun(program)) return program;
  }
  const built = await builtByTests(env);
  if (built !== undefined) return built;
  throw new ParsecError(
    "INVALID_ARGUMENT",
    "nats-server is not installed: install it with apt-get install nats-server, brew install nats-server, or from " +
      "https://github.com/nats-io/nats-server/releases; or set PARSEC_NATS_SERVER, or use --nats <url> or --nats none",
  );
}

async function builtByTests(env: Environment): Promise<string | undefined> {
  const folder = join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "parsec");
  const names = await readdir(folder).catch(() => []);
  for (const name of names
    .filter((each) => /^nats-server-[\d.]+$/.test(each))
    .sort()
    .reverse()) {
    const program = join(folder, name);
    if (await canRun(program)) return program;
  }
  return undefined;
}

async function canRun(program: string): Promise<boolean> {
  try {
    await access(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
