import { readFileSync } from "node:fs";

/** Linux reports CPU time in hundredths of a second on every kernel. */
const tickUs = 10_000;

/**
 * The CPU time (user and system, all threads) of a process; undefined on systems without /proc. Unlike
 * `process.cpuUsage`, it works for a server in any language.
 */
export function cpuUsOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is the program's name in brackets, which may contain any character.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * tickUs;
  } catch {
    return undefined;
  }
}
