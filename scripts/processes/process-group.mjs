import { readdirSync, readFileSync } from "node:fs";

/**
 * Signals every process of a group.
 *
 * @param {number} groupId
 * @param {NodeJS.Signals} signalName
 */
export function killGroup(groupId, signalName) {
  try {
    process.kill(-groupId, signalName);
  } catch {
    // all members have ended
  }
}

/**
 * The command lines of a group's living members. Zombies do not count: where no process reaps orphans,
 * as in a container without an init, they stay forever and do no harm.
 *
 * @param {number} groupId
 * @returns {string[]}
 */
export function livingMembers(groupId) {
  if (process.platform !== "linux") return livingMembersBySignal(groupId);
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "latin1");
      // "pid (name) state parent group …", where the name may contain anything.
      const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(group) !== groupId || state === "Z" || state === "X") return [];
      const commandLine = readFileSync(`/proc/${entry}/cmdline`, "utf8");
      return [commandLine.split("\0").join(" ").trim()];
    } catch {
      return []; // it ended while we looked
    }
  });
}

/** @param {number} groupId */
function livingMembersBySignal(groupId) {
  try {
    process.kill(-groupId, 0);
    return [`a process of group ${groupId}`];
  } catch {
    return [];
  }
}
