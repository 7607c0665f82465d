import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const source = fileURLToPath(new URL("./go-peer", import.meta.url));
/** Path of the Debian package golang-github-golang-groupcache-dev. */
const debianGopath = "/usr/share/gocode";

/** The program built from `test/go-peer`, or the reason why it could not be built. */
export type GoPeerBuild =
  | {
      readonly program: string;
      readonly reason: undefined;
      /** Go 1.22 and later clean paths differently, and support both ways. */
      readonly hasNewMux: boolean;
      remove(): Promise<void>;
    }
  | { readonly program: undefined; readonly reason: string };

/** Builds the Go node from the published module, or from Debian's package. Throws on a compile error. */
export async function buildGoPeer(): Promise<GoPeerBuild> {
  let version: string;
  try {
    version = (await run("go", ["version"])).stdout;
  } catch {
    return { program: undefined, reason: "no Go toolchain on PATH" };
  }
  const environment = { ...process.env, GOFLAGS: "-mod=mod" };
  let build: { readonly env: NodeJS.ProcessEnv; readonly files: readonly string[] } = {
    env: environment,
    files: ["."],
  };
  try {
    await run("go", ["mod", "download"], { cwd: source, env: environment });
  } catch (error) {
    if (!existsSync(`${debianGopath}/src/github.com/golang/groupcache`)) {
      const lines = String((error as { stderr?: unknown }).stderr ?? error)
        .trim()
        .split("\n");
      return { program: undefined, reason: `the Go module is not to be had: ${lines.at(-1)}` };
    }
    const env = { ...process.env, GO111MODULE: "off", GOPATH: debianGopath, GOFLAGS: "" };
    build = { env, files: ["main.go"] };
  }
  const folder = await mkdtemp(join(tmpdir(), "parsec-go-peer-"));
  const program = join(folder, "go-peer");
  await run("go", ["build", "-o", program, ...build.files], { cwd: source, env: build.env });
  return {
    program,
    reason: undefined,
    hasNewMux: Number(/go1\.(\d+)/.exec(version)?.[1] ?? 0) >= 22,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface GoAnswer {
  /** The owner's URL; "" for the Go node itself. */
  readonly owners?: readonly string[];
  /** In hex. */
  readonly values?: readonly string[];
  readonly errors?: readonly string[];
  readonly loads: number;
  readonly peer: number;
}

/** A running node of golang/groupcache. */
export class GoPeer {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcess, lines: AsyncIterator<string>, port: number) {
    this.#process = process;
    this.#lines = lines;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(program: string, variables: NodeJS.ProcessEnv = {}): Promise<GoPeer> {
    const env = { ...process.env, ...variables };
    const child = spawn(program, [], { env, stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await lines.next();
    return new GoPeer(child, lines, JSON.parse(String(first.value)).port);
  }

  async #ask(command: object): Promise<GoAnswer> {
    this.#process.stdin?.write(`${JSON.stringify(command)}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error("the Go node is gone");
    return JSON.parse(line.value);
  }

  /** Starts serving as `self` among `peers`, behind a ServeMux when `mux` is set. */
  join(ring: {
    readonly self: string;
    readonly peers: readonly string[];
    readonly mux?: boolean;
  }): Promise<GoAnswer> {
    return this.#ask({ do: "ring", ...ring });
  }

  ownersOf(keys: readonly Uint8Array[]): Promise<GoAnswer> {
    return this.#ask({ do: "owners", keys: keys.map(toHex) });
  }

  get(keys: readonly Uint8Array[]): Promise<GoAnswer> {
    return this.#ask({ do: "get", keys: keys.map(toHex) });
  }

  counts(): Promise<GoAnswer> {
    return this.#ask({ do: "loads" });
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
