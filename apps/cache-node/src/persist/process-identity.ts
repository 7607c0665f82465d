import { readFileSync } from "node:fs";

/** This process as `isRunning` understands it: its number and, where it can be had, when it was started. */
export function describeSelf(): string {
  return `${process.pid} ${startOf(process.pid)}`;
}

/**
 * Whether another process of that description runs. A number alone may have gone to another process, as it always does in a
 * container, where the first one is 1.
 */
export function isRunning(description: string): boolean {
  const [, digits, start = ""] = /^(\d+) (.*)$/s.exec(description) ?? [];
  const pid = Number(digits);
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process cannot be signalled, but it runs.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return startOf(pid) === start;
}

/** Ticks since the machine was started, from /proc; empty where there is none. */
function startOf(pid: number): string {
  try {
    // The second field is the name in parentheses and may itself hold some; the rest is plain.
    const [, rest = ""] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return rest.split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
