import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Package managers. When one of them is killed, the process that it launched must end, too. */
const launcher =
  /(^|[\s/\\])(npx|npm|pnpm|corepack|npx-cli\.js|npm-cli\.js|pnpm\.c?js)(@\S*)?(\s|$)/;
const pollMs = 500;

/**
 * Calls `onGone` when the package manager that launched this process has ended without forwarding a
 * signal, as after SIGKILL. A process that was started directly may outlive its shell, as with nohup.
 */
export function watchLaunchers(onGone: () => void): void {
  const pids = launcherPids();
  if (pids.length === 0) return;
  const timer = setInterval(() => {
    if (pids.every(isAlive) && process.ppid === pids[0]) return;
    clearInterval(timer);
    onGone();
  }, pollMs);
  timer.unref();
}

/** Process ids of this process's ancestors, nearest first, up to the outermost package manager. */
function launcherPids(): readonly number[] {
  const ancestors: { readonly pid: number; readonly isLauncher: boolean }[] = [];
  for (let pid = process.ppid; pid > 1 && ancestors.length < 20; ) {
    const found = describeProcess(pid);
    if (found === undefined) break;
    ancestors.push({ pid, isLauncher: launcher.test(found.command) });
    pid = found.ppid;
  }
  // Includes shells between two package managers, but not those above the outermost.
  const outermost = ancestors.findLastIndex(({ isLauncher }) => isLauncher);
  return ancestors.slice(0, outermost + 1).map(({ pid }) => pid);
}

interface ProcessDescription {
  readonly ppid: number;
  readonly command: string;
}

/** Reads /proc on Linux, because slim images have no ps; else runs ps. */
function describeProcess(pid: number): ProcessDescription | undefined {
  try {
    return process.platform === "linux" ? describeFromProc(pid) : describeFromPs(pid);
  } catch {
    return undefined;
  }
}

function describeFromProc(pid: number): ProcessDescription {
  // The second field is the name in parentheses, which may itself contain parentheses.
  const [, rest = ""] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
  const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  return { ppid: Number(rest.split(" ")[1]), command };
}

function describeFromPs(pid: number): ProcessDescription | undefined {
  const line = execFileSync("ps", ["-o", "ppid=,args=", "-p", String(pid)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 2_000,
  });
  const [, ppid, command] = /^\s*(\d+)\s+(.*)$/m.exec(line) ?? [];
  return ppid === undefined || command === undefined ? undefined : { ppid: Number(ppid), command };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
