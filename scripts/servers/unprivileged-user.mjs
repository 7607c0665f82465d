import { execFileSync } from "node:child_process";

/**
 * PostgreSQL refuses to run as root. As root this names a user that may run it, preferring those
 * given; as anyone else it is empty, and the child runs as that user.
 *
 * @param {readonly string[]} preferred
 * @returns {{ uid?: number, gid?: number }}
 */
export function unprivilegedUser(preferred) {
  if (process.getuid?.() !== 0) return {};
  for (const name of [...preferred, "nobody"]) {
    try {
      return { uid: idOf("-u", name), gid: idOf("-g", name) };
    } catch {
      // no such user on this machine
    }
  }
  return { uid: 65534, gid: 65534 };
}

/**
 * @param {"-u" | "-g"} flag
 * @param {string} name
 */
function idOf(flag, name) {
  return Number(execFileSync("id", [flag, name], { stdio: ["ignore", "pipe", "ignore"] }));
}
