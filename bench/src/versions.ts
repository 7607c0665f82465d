import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { benchFolder } from "./bench-folder.ts";

/** The versions of dependencies of the bench, such as `"lru-cache 11.5.3"`; the bench pins exact versions. */
export function versionOf(...names: readonly string[]): string {
  const { dependencies } = readJson("package.json") as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return names.map((name) => `${name} ${dependencies[name] ?? "unknown"}`).join(", ");
}

/** The version of Parsec with its commit. */
export function parsecVersion(): string {
  const { version } = readJson("../packages/core/package.json") as { readonly version: string };
  const git = spawnSync("git", ["describe", "--always", "--dirty"], {
    cwd: fileURLToPath(benchFolder),
  });
  const commit = git.status === 0 ? ` at ${git.stdout.toString().trim()}` : "";
  return `parsec ${version}${commit}`;
}

/** The version that a program prints; undefined when it is not installed or fails. */
export function programVersion(program: string, args: readonly string[]): string | undefined {
  const asked = spawnSync(program, args);
  if (asked.status !== 0) return undefined;
  return /\d+\.\d+(?:\.\d+)?\S*/.exec(asked.stdout.toString())?.[0] ?? "unknown";
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, benchFolder), "utf8"));
}
