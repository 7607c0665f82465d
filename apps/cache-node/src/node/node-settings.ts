import type { Flag } from "@parsec/program";

/** Settings with a flag and a variable. */
export type SettingName =
  | "node"
  | "nats"
  | "http"
  | "partitions"
  | "platform"
  | "replicas"
  | "ack"
  | "persist"
  | "sync"
  | "leave-seconds"
  | "max-mib"
  | "log-level"
  | "insecure";

/** A flag, its environment variable, and the default. */
export interface NodeSetting extends Flag {
  readonly variable: string;
  readonly fallback: string;
}

export const logLevels: readonly string[] = [
  "silent",
  "fatal",
  "error",
  "warn",
  "info",
  "debug",
  "trace",
];

export const nodeSettings: Readonly<Record<SettingName, NodeSetting>> = {
  node: {
    value: "<name>",
    help: "unique name of this node",
    variable: "PARSEC_NODE",
    fallback: "node-1",
  },
  nats: {
    value: "<url>",
    help: "NATS servers, separated by commas; embedded: start one; none: run alone",
    variable: "PARSEC_NATS",
    fallback: "nats://localhost:4222",
  },
  http: {
    value: "<address>",
    help: "address to listen on: host:port, or :port for all addresses",
    variable: "PARSEC_HTTP",
    fallback: ":8080",
  },
  partitions: {
    value: "<count>",
    help: "partitions of the key space; the same on all nodes, cannot be changed later",
    variable: "PARSEC_PARTITIONS",
    fallback: "64",
  },
  platform: {
    value: "<name>",
    help: "name of the cluster; the same on all nodes",
    variable: "PARSEC_PLATFORM",
    fallback: "cache-platform",
  },
  replicas: {
    value: "<count>",
    help: "copies of each partition; the same on all nodes, cannot be changed later",
    variable: "PARSEC_REPLICAS",
    fallback: "2",
  },
  ack: {
    value: "<when>",
    help: "acknowledge a write when the owner, one-backup or all have it",
    variable: "PARSEC_ACK",
    fallback: "one-backup",
  },
  persist: {
    value: "<folder>",
    help: "also keep the data in this folder, which no other node may use",
    variable: "PARSEC_PERSIST",
    fallback: "",
  },
  sync: {
    value: "<when>",
    help: "with --persist: sync the disk each second, or always before a write is acknowledged",
    variable: "PARSEC_SYNC",
    fallback: "second",
  },
  "leave-seconds": {
    value: "<count>",
    help: "how long a stopped node tries to hand its partitions over",
    variable: "PARSEC_LEAVE_SECONDS",
    fallback: "15",
  },
  "max-mib": {
    value: "<count>",
    help: "memory limit of keys and values in MiB, beyond which new values are refused; auto: half of V8's heap",
    variable: "PARSEC_MAX_MIB",
    fallback: "auto",
  },
  "log-level": {
    value: "<level>",
    help: logLevels.join(", "),
    variable: "PARSEC_LOG_LEVEL",
    fallback: "info",
  },
  insecure: {
    help: "allow a NATS server on another machine without credentials",
    variable: "PARSEC_INSECURE",
    fallback: "false",
  },
};

/** The flags of a node; the help contains variables and defaults. */
export const nodeFlags: Readonly<Record<SettingName | "help" | "version", Flag>> = {
  ...(Object.fromEntries(
    Object.entries(nodeSettings).map(([name, { help, variable, fallback, ...rest }]) => {
      const standsFor = fallback === "" ? "none" : fallback;
      return [name, { ...rest, help: `${help} [${variable}, ${standsFor}]` }];
    }),
  ) as Record<SettingName, Flag>),
  help: { help: "show this help" },
  version: { help: "show the version" },
};
