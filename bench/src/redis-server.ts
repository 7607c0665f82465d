import type { ChildProcess } from "node:child_process";
import { freePort, untilListening } from "./loopback-port.ts";
import { startPinned } from "./run-program.ts";
import { programVersion } from "./versions.ts";

/** A server that bench started, and ends. */
export interface StartedServer {
  readonly process: ChildProcess;
  readonly url: string;
  readonly version: string;
}

/** Starts a Redis that keeps nothing on disk; undefined when there is none on this machine. */
export async function startRedis(core: number | undefined): Promise<StartedServer | undefined> {
  const version = programVersion("redis-server", ["--version"]);
  if (version === undefined) return undefined;
  const port = await freePort();
  const where = ["--port", String(port), "--bind", "127.0.0.1"];
  const nothingKept = ["--save", "", "--appendonly", "no", "--loglevel", "warning"];
  const child = startPinned(["redis-server", ...where, ...nothingKept], core);
  await untilListening(port, "redis-server");
  return { process: child, url: `redis://127.0.0.1:${port}`, version: `redis-server ${version}` };
}
