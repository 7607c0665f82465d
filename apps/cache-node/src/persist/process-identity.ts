import { readFileSync } from "node:fs";

/** Identifies this process for `isRunning`: its pid and, where available, its start time. */
export function describeSelf(): string {
  return `${process.pid} ${startOf(process.pid)}`;
}

/**
 * Whether another process with this identity is running. The pid alone may have been reused, as in a container, where the
 * first process always has pid 1.
 */
export function isRunning(description: string): boolean {
  const [, digits, start = ""] = /^(\d+) (.*)$/s.exec(description) ?? [];
  const pid = Number(digits);
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // A process of another user cannot be signalled, but it is running.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return startOf(pid) === start && !isZombie(pid);
}

/** Whether the process has ended, and its parent has not taken notice yet: it uses no file any more. */
function isZombie(pid: number): boolean {
  const [state = ""] = statOf(pid);
  return state === "Z" || state === "X";
}

/** Start time of a process in ticks since boot, from /proc; empty where that is not available. */
function startOf(pid: number): string {
  return statOf(pid)[19] ?? "";
}

/** The fields of `/proc/<pid>/stat` from its state on; empty where that is not available. */
function statOf(pid: number): readonly string[] {
  try {
    // The second field is the name in parentheses, which may contain parentheses itself.
    const [, rest = ""] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return rest.split(" ");
  } catch {
    return [];
  }
}
