import { constants } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { ParsecError } from "@parsec/core";

/** Where package managers and Go put it, even when PATH does not say so. */
const usualFolders = ["/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin"];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Looks for nats-server: what `PARSEC_NATS_SERVER` names, else on PATH, else where it usually is, else
 * where `pnpm test` of this repository keeps the one it has built. Throws `INVALID_ARGUMENT`, saying how to get it.
 */
export async function findNatsServer(env: Environment): Promise<string> {
  const named = env.PARSEC_NATS_SERVER?.trim();
  if (named) {
    if (await canRun(named)) return resolve(named);
    throw new ParsecError("INVALID_ARGUMENT", `PARSEC_NATS_SERVER names no program: ${named}`);
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
    "nats-server is not installed: get it by apt-get install nats-server, brew install nats-server, or from " +
      "https://github.com/nats-io/nats-server/releases; or name it in PARSEC_NATS_SERVER, or give --nats <url> or --nats none",
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
