import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Builds `bench/go`; undefined when there is no Go here or its module cannot be had. */
export async function buildGoPeer(): Promise<string | undefined> {
  const program = join(tmpdir(), `parsec-bench-groupcache-${process.pid}`);
  const directory = fileURLToPath(new URL("../go", import.meta.url));
  const built = spawnSync("go", ["build", "-o", program, "."], { cwd: directory, stdio: "ignore" });
  return built.status === 0 ? program : undefined;
}
