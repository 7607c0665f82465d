import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Commands that only launch others: when one of them is killed, what it launched should end too. */
const launcher =
  /(^|[\s/\\])(npx|npm|pnpm|corepack|npx-cli\.js|npm-cli\.js|pnpm\.c?js)(@\S*)?(\s|$)/;
const pollMs = 500;

/**
 * Calls `onGone` when a package manager that launched this process has ended without telling us,
 * which a SIGKILL does. A process that was started directly has no launcher and may outlive its
 * shell, as with nohup.
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

/** This process's ancestors, nearest first, up to the outermost that is a package manager. */
function launcherPids(): readonly number[] {
  const ancestors: { readonly pid: number; readonly isLauncher: boolean }[] = [];
  for (let pid = process.ppid; pid > 1 && ancestors.length < 20; ) {
    const found = describeProcess(pid);
    if (found === undefined) break;
    ancestors.push({ pid, isLauncher: launcher.test(found.command) });
    pid = found.ppid;
  }
  // Shells between two package managers belong to the chain; those above the outermost do not.
  const outermost = ancestors.findLastIndex(({ isLauncher }) => isLauncher);
  return ancestors.slice(0, outermost + 1).map(({ pid }) => pid);
}

interface ProcessDescription {
  readonly ppid: number;
  readonly command: string;
}

/** From /proc where there is one (slim images have no ps), else from ps. */
function describeProcess(pid: number): ProcessDescription | undefined {
  try {
    return process.platform === "linux" ? describeFromProc(pid) : describeFromPs(pid);
  } catch {
    return undefined;
  }
}

function describeFromProc(pid: number): ProcessDescription {
  // The second field is the name in parentheses and may itself hold some; the rest is plain.
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
