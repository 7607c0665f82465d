import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A NATS server that this process started, on a free port of this machine. */
export interface EmbeddedNats {
  /** With user and password. */
  readonly url: string;
  /** Resolves with the last output of the server when it ends for any reason. */
  readonly ended: Promise<string>;
  /** Stops the server, and deletes its files unless the folder was given. A second call does nothing. */
  close(): Promise<void>;
}

const readyWithinMs = 20_000;
const stopWithinMs = 5_000;
const keptOutput = 4_000;

/**
 * Runs the server until the other end of stdin closes, which it does even when this process is killed; then
 * deletes its files, if they are temporary. A background job has no stdin unless it is redirected.
 */
const guard = `exec 3<&0
"$1" -c "$2" 3<&- & server=$!
(read -r _ <&3; kill "$server" 2>/dev/null) & watch=$!
wait "$server"; code=$?
kill "$watch" 2>/dev/null
[ -z "$3" ] || rm -rf "$3"
exit "$code"`;

/**
 * Starts the program with JetStream. `folder` keeps its data; without one it has a temporary folder. Rejects with the
 * last output of the server when it does not start.
 */
export async function startEmbeddedNats(
  program: string,
  options: { readonly folder?: string | undefined } = {},
): Promise<EmbeddedNats> {
  const { folder } = options;
  if (folder !== undefined) await mkdir(folder, { recursive: true });
  const home = folder ?? (await mkdtemp(join(tmpdir(), "parsec-nats-")));
  const password = randomBytes(24).toString("hex");
  const file = join(home, "nats.conf");
  // In a file, because every user of the machine can list arguments. -1 stands for any free port.
  const config = `listen: "127.0.0.1:-1"
jetstream { store_dir: ${JSON.stringify(join(home, "store"))} }
authorization { user: parsec, password: "${password}" }
`;
  await writeFile(file, config, { mode: 0o600 });
  const temporary = folder === undefined ? home : "";
  // In its own process group: Ctrl-C in a terminal must not end it before the nodes.
  const child = spawn("sh", ["-c", guard, "parsec-nats", program, file, temporary], {
    detached: true,
    stdio: ["pipe", "ignore", "pipe"],
  });
  // An error of stdin means that the server has ended.
  child.stdin?.on("error", () => {});
  return watchServer(child, password);
}

async function watchServer(child: ChildProcess, password: string): Promise<EmbeddedNats> {
  let output = "";
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", () => resolve(output.trim()));
  });
  const close = async (): Promise<void> => {
    child.stdin?.end();
    const timer = setTimeout(() => killGroup(child), stopWithinMs);
    await ended;
    clearTimeout(timer);
  };
  const port = new Promise<number>((resolve) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-keptOutput);
      const found = /Listening for client connections on \S+:(\d+).*Server is ready/s.exec(output);
      if (found !== null) resolve(Number(found[1]));
    });
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    const failed = ended.then((words): never => {
      throw new Error(`nats-server did not start: ${words}`);
    });
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`nats-server was not ready within ${readyWithinMs} ms`)),
        readyWithinMs,
      );
    });
    const url = `nats://parsec:${password}@127.0.0.1:${await Promise.race([port, failed, late])}`;
    return { url, ended, close };
  } catch (error) {
    await close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
