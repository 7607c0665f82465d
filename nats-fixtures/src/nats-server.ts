import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const readyWithinMs = 20_000;

/** A nats-server for one test, on a loopback port that a restart keeps. */
export interface NatsServer {
  readonly url: string;
  readonly port: number;
  /** Sends a signal and waits for the exit. Defaults to SIGKILL. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again with its stored data. */
  start(): Promise<void>;
  /** Pauses the process by SIGSTOP: clients keep their connections and get no answers. */
  pause(): void;
  /** Continues a paused process. */
  resume(): void;
  /** Kills it and deletes its files. */
  dispose(): Promise<void>;
}

/** Starts `program` with the lines of `config`, and with JetStream unless it is false. */
export async function startNatsServer(
  program: string,
  options: { readonly config?: string; readonly jetStream?: boolean } = {},
): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), "parsec-nats-"));
  const port = await freePort();
  const { config = "", jetStream = true } = options;
  const file = join(folder, "nats.conf");
  const storage = jetStream ? `jetstream { store_dir: "${folder}/store" }\n` : "";
  await writeFile(file, `listen: "127.0.0.1:${port}"\n${storage}${config}\n`);
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = await launch(program, file);
  };
  const stop = async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const exited = new Promise((resolve) => running.once("close", resolve));
    running.kill("SIGCONT");
    running.kill(signal);
    await exited;
  };
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    start,
    stop,
    pause: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
    async dispose() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function launch(program: string, file: string): Promise<ChildProcess> {
  const child = spawn(program, ["-c", file], { cwd: "/", stdio: ["ignore", "ignore", "pipe"] });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("close", () => process.off("exit", kill));
  let output = "";
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`nats-server was not ready within ${readyWithinMs} ms: ${output}`)),
      readyWithinMs,
    );
    child.stderr?.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4000);
      if (!output.includes("Server is ready")) return;
      clearTimeout(timer);
      resolve();
    });
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`nats-server exited with ${code}: ${output}`)));
  });
  return child;
}

/** Finds a free loopback port. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
