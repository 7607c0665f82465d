import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = new URL("../", import.meta.url);

/** Such as `"lru-cache 11.5.3"`, of packages that bench depends on, which it does by exact versions. */
export function versionOf(...names: readonly string[]): string {
  const { dependencies } = readJson("package.json") as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return names.map((name) => `${name} ${dependencies[name] ?? "unknown"}`).join(", ");
}

/** Parsec's own, with the commit it is at. */
export function parsecVersion(): string {
  const { version } = readJson("../packages/core/package.json") as { readonly version: string };
  const git = spawnSync("git", ["describe", "--always", "--dirty"], { cwd: fileURLToPath(folder) });
  const commit = git.status === 0 ? ` at ${git.stdout.toString().trim()}` : "";
  return `parsec ${version}${commit}`;
}

/** What a program prints of itself; undefined when it is not there or fails. */
export function programVersion(program: string, args: readonly string[]): string | undefined {
  const asked = spawnSync(program, args);
  if (asked.status !== 0) return undefined;
  return /\d+\.\d+(?:\.\d+)?\S*/.exec(asked.stdout.toString())?.[0] ?? "unknown";
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, folder), "utf8"));
}
