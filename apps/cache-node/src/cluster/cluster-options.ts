import { resolve } from "node:path";
import { ParsecError } from "@parsec/core";
import { describeFlags, type GivenFlags, parseFlags } from "@parsec/program";
import { parseNatsTarget } from "../node/nats-target.ts";
import { resolveNodeConfig } from "../node/node-config.ts";
import { nodeFlags } from "../node/node-settings.ts";

/** Options of a cluster on this machine. */
export interface ClusterOptions {
  /** A port of 0 stands for any free port. */
  readonly nodePorts: readonly number[];
  /** NATS servers to use instead of an embedded one, separated by commas. */
  readonly natsUrl: string | undefined;
  /** Folder with one folder for each node, and one for the embedded server; undefined for memory only. */
  readonly persist: string | undefined;
  /** Flags for all nodes. */
  readonly nodeArgs: readonly string[];
}

const nodeCount = 3;
const defaultPort = 8081;

/** Flags of one node that are valid for all nodes at once. */
const { partitions, platform, replicas, ack, sync, insecure } = nodeFlags;
const sharedFlags = {
  partitions,
  platform,
  replicas,
  ack,
  sync,
  insecure,
  "leave-seconds": nodeFlags["leave-seconds"],
  "max-mib": nodeFlags["max-mib"],
  "log-level": nodeFlags["log-level"],
};

/** Flags of the `start` command. */
const clusterFlags = {
  port: { value: "<port>", help: "first of three ports for the nodes (8081); 0 uses free ports" },
  nats: { value: "<url>", help: "NATS servers to use instead of an embedded one" },
  persist: {
    value: "<folder>",
    help: "keep the data in this folder, and use it again at the next start",
  },
  ...sharedFlags,
  help: { help: "show this help" },
} as const;

/** The text of `--help`. */
export const clusterHelp: string = `Runs three cache nodes and a nats-server on this machine.

${describeFlags(clusterFlags)}

With --node or --http, it is one node that is started: see --node x --help.
`;

/** Reads the flags; undefined for `--help`. Throws `INVALID_ARGUMENT` naming the flag. */
export function clusterOptionsFromFlags(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ClusterOptions | undefined {
  const given: GivenFlags<keyof typeof clusterFlags> = parseFlags(args, clusterFlags, {
    singleDash: true,
  });
  if (given.help !== undefined) return undefined;
  // The launcher may have found a server where there is no program.
  const nats = given.nats ?? (env.PARSEC_NATS?.trim() || undefined);
  if (nats !== undefined && nats !== "embedded") checkServers(given.nats, nats);
  return {
    nodePorts: portsFrom(given.port ?? String(defaultPort)),
    natsUrl: nats === "embedded" ? undefined : nats,
    persist: given.persist === undefined ? undefined : resolve(given.persist),
    nodeArgs: nodeArgsOf(given, env),
  };
}

function nodeArgsOf(
  given: GivenFlags<keyof typeof clusterFlags>,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const shared = Object.fromEntries(
    Object.entries(given).filter(([name]) => Object.hasOwn(sharedFlags, name)),
  );
  // Checked here, so that an error appears once instead of three times.
  resolveNodeConfig(shared, { ...env, PARSEC_NATS: "", PARSEC_HTTP: "" });
  return Object.entries(shared).flatMap(([name, value]) =>
    name === "insecure" ? ["--insecure"] : [`--${name}=${value}`],
  );
}

function checkServers(flag: string | undefined, text: string): void {
  const source = flag === undefined ? "PARSEC_NATS" : "--nats";
  if (parseNatsTarget(source, text).kind === "servers") return;
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `${source} must not be none: three nodes need NATS to find each other`,
  );
}

function portsFrom(text: string): readonly number[] {
  const first = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (first === 0) return Array.from({ length: nodeCount }, () => 0);
  if (first + nodeCount - 1 <= 65_535) {
    return Array.from({ length: nodeCount }, (_, index) => first + index);
  }
  const message = `--port must be a port from 0 to ${65_536 - nodeCount}, got ${JSON.stringify(text)}`;
  throw new ParsecError("INVALID_ARGUMENT", message);
}
