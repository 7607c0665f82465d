import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { benchFolder } from "../bench-folder.ts";
import { programVersion } from "../versions.ts";

export interface GoPeer {
  readonly program: string;
  readonly version: string;
}

/** Builds `bench/go`; returns undefined when Go is not installed or the module cannot be downloaded. */
export function buildGoPeer(): GoPeer | undefined {
  const program = join(tmpdir(), `parsec-bench-groupcache-${process.pid}`);
  const directory = fileURLToPath(new URL("go", benchFolder));
  const built = spawnSync("go", ["build", "-o", program, "."], { cwd: directory, stdio: "ignore" });
  if (built.status !== 0) return undefined;
  process.once("exit", () => rmSync(program, { force: true }));
  const module = "github.com/golang/groupcache";
  const listed = spawnSync("go", ["list", "-m", "-f", "{{.Version}}", module], { cwd: directory });
  const go = programVersion("go", ["version"]);
  return { program, version: `groupcache ${listed.stdout.toString().trim()}, Go ${go}` };
}
