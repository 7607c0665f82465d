import { runCommand } from "./run-command.mjs";

/**
 * One way in which packages are used. `run` rejects when the packages do not work there.
 *
 * @typedef {object} Consumer
 * @property {string} name
 * @property {boolean} [quick] runs within `pnpm check`: no installation, no network
 * @property {Readonly<Record<string, string>>} [dependencies] with exact versions, installed into the
 *   consumer's folder; the workspace does not have them. A quick consumer has none
 * @property {"by npm" | "by itself"} [installed] who installs the packages; npm by default
 * @property {readonly string[]} [programs] copied from `programs/` into its folder
 * @property {(place: ConsumerPlace) => Promise<void>} run
 */

/**
 * @typedef {object} ConsumerPlace
 * @property {string} folder with the packages in its `node_modules`, and the programs
 * @property {readonly import("./packed-packages.mjs").PackedPackage[]} packages
 * @property {(command: string, args: readonly string[], options?: { cwd?: string, env?: Record<string, string>, allowFailure?: boolean }) => Promise<string>} exec
 *   runs a command in the folder
 */

/**
 * @param {{ folder: string, packages: readonly import("./packed-packages.mjs").PackedPackage[], signal: AbortSignal }} options
 * @returns {ConsumerPlace}
 */
export function createPlace({ folder, packages, signal }) {
  return {
    folder,
    packages,
    exec: (command, args, options) =>
      runCommand(command, args, { cwd: folder, signal, ...options }),
  };
}

/**
 * Entries that a program can load. Those of testkit need a running vitest.
 *
 * @param {ConsumerPlace} place
 * @returns {string[]}
 */
export function loadableEntries({ packages }) {
  return packages
    .filter(({ name }) => name !== "@parsec/testkit")
    .flatMap(({ entries }) => entries);
}
