import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** A server that the scenarios run with. */
export interface NatsProgram {
  readonly name: string;
  /** Absent when there is none, or none but a container. */
  readonly program: string | undefined;
  readonly missing: string;
}

// Read here, so that `pnpm test` finds or builds both.
const { PARSEC_TEST_NATS_URL, PARSEC_TEST_NATS_NEWEST_URL } = process.env;
const onlyUrl = "the one that runs is a container, which a test cannot restart";
const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "parsec");
const systemFolders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];

export const systemNats: NatsProgram = {
  name: "nats-server of the system",
  program: process.env.PARSEC_TEST_NATS_PROGRAM ?? firstProgram(systemFolders, "nats-server"),
  missing:
    process.env.PARSEC_TEST_NATS_MISSING ??
    (PARSEC_TEST_NATS_URL === undefined ? "nats-server is not installed" : onlyUrl),
};

export const newestNats: NatsProgram = {
  name: "newest nats-server",
  program:
    process.env.PARSEC_TEST_NATS_NEWEST_PROGRAM ??
    firstProgram([cacheFolder], "nats-server-2.15.2"),
  missing:
    process.env.PARSEC_TEST_NATS_NEWEST_MISSING ??
    (PARSEC_TEST_NATS_NEWEST_URL === undefined ? "its program is not in the cache" : onlyUrl),
};

function firstProgram(among: readonly string[], name: string): string | undefined {
  return among
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
