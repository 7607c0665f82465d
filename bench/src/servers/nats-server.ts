import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Plan } from "../plan.ts";
import { freePort, untilListening } from "../processes/loopback-port.ts";
import { startPinned } from "../processes/run-program.ts";
import { programVersion } from "../versions.ts";
import type { StartedServer } from "./started-server.ts";

/** Starts a nats-server, with JetStream if `storeFolder` is given. Resolves with undefined when it is not installed. */
export async function startNats(
  plan: Plan,
  { core, storeFolder }: { readonly core: number | undefined; readonly storeFolder?: string },
): Promise<StartedServer | undefined> {
  const found = findNats(plan.natsProgram);
  if (found === undefined) return undefined;
  const port = await freePort();
  const options = ["--addr", "127.0.0.1", "--port", String(port), "--log", "/dev/null"];
  const jetStream = storeFolder === undefined ? [] : ["--jetstream", "--store_dir", storeFolder];
  const child = startPinned([found.program, ...options, ...jetStream], core);
  await untilListening(port, found.program);
  const version = `nats-server ${found.version}`;
  return { process: child, url: `nats://127.0.0.1:${port}`, version };
}

/** The named program, else the newest that the tests built into the user's cache, else the system's. */
function findNats(
  named: string | undefined,
): { readonly program: string; readonly version: string } | undefined {
  const candidates =
    named === undefined ? [...builtByTests(), "nats-server", "/usr/sbin/nats-server"] : [named];
  for (const program of candidates) {
    const version = programVersion(program, ["--version"]);
    if (version !== undefined) return { program, version };
  }
  if (named !== undefined)
    throw new Error(`--nats-server must name a nats-server program, got ${named}`);
  return undefined;
}

function builtByTests(): string[] {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "parsec");
  try {
    return readdirSync(folder)
      .filter((name) => /^nats-server-\d/.test(name))
      .sort((a, b) => b.localeCompare(a, undefined, { numeric: true }))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}
