import { access, rm, writeFile } from "node:fs/promises";
import { runChildGroup } from "../processes/child-group.mjs";
import { findProgram } from "./find-program.mjs";

/** Debian asks this file whether a package may start its service; 101 means no. */
const servicePolicy = "/usr/sbin/policy-rc.d";

/** Whether this is Debian or a relative, and we may install. */
export async function canUseApt() {
  return process.getuid?.() === 0 && (await findProgram("apt-get")) !== undefined;
}

/**
 * Installs packages without starting the services that come with them.
 *
 * @param {readonly string[]} packages
 * @param {{ signal?: AbortSignal }} options
 * @throws {Error} with apt's output
 */
export async function aptInstall(packages, { signal }) {
  const setPolicy = await access(servicePolicy).then(
    () => false,
    () => true,
  );
  if (setPolicy) await writeFile(servicePolicy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const options = {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      capture: true,
      ...(signal && { signal }),
    };
    // An old package list is still good enough to try with, so a failed update is not the end.
    await runChildGroup("apt-get", ["update", "-qq"], options);
    const install = ["install", "-y", "-qq", "--no-install-recommends", ...packages];
    const { code, output } = await runChildGroup("apt-get", install, options);
    if (code !== 0) throw new Error(`apt-get install ${packages.join(" ")}: ${output.trim()}`);
  } finally {
    if (setPolicy) await rm(servicePolicy, { force: true });
  }
}
