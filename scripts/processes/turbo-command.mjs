import { fileURLToPath } from "node:url";

/**
 * The turbo command and its environment: no telemetry and no update notes, and the Node version as
 * part of every cache key, so that a result of one version is not used for another.
 *
 * @param {readonly string[]} args
 * @returns {{ command: string, args: string[], env: NodeJS.ProcessEnv }}
 */
export function turboCommand(args) {
  return {
    command: process.execPath,
    args: [fileURLToPath(new URL("../../node_modules/turbo/bin/turbo", import.meta.url)), ...args],
    env: {
      ...process.env,
      DO_NOT_TRACK: "1",
      TURBO_TELEMETRY_DISABLED: "1",
      TURBO_NO_UPDATE_NOTIFIER: "1",
      PARSEC_NODE_VERSION: process.versions.node,
    },
  };
}
