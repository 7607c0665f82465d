import { resolve } from "node:path";
import { getHeapStatistics } from "node:v8";
import { ParsecError } from "@parsec/core";
import type { GivenFlags } from "@parsec/program";
import type { WriteAck } from "@parsec/ring";
import type { SyncPolicy } from "../persist/persistent-state.ts";
import { type ListenAddress, parseListenAddress } from "./listen-address.ts";
import { type NatsTarget, parseNatsTarget } from "./nats-target.ts";
import { logLevels, nodeSettings, type SettingName } from "./node-settings.ts";

/** The configuration of one node. */
export interface NodeConfig {
  readonly node: string;
  readonly platform: string;
  readonly nats: NatsTarget;
  readonly insecure: boolean;
  readonly http: ListenAddress;
  readonly partitions: number;
  readonly replicas: number;
  readonly ack: WriteAck;
  /** Folder of the data; undefined for memory only. */
  readonly persist: string | undefined;
  readonly sync: SyncPolicy;
  /** How long a node that is stopped tries to hand its partitions over. */
  readonly leaveMs: number;
  /** Memory limit of keys and values, in MiB. */
  readonly maxMib: number;
  readonly logLevel: string;
}

const acks = ["owner", "one-backup", "all"] as const;
const syncPolicies = ["second", "always"] as const;
const maxPartitions = 4096;
const maxReplicas = 8;
const maxNameBytes = 255;
/** One day. */
const maxLeaveSeconds = 86_400;
/** One TiB, which exceeds V8's limit. */
const maxMaxMib = 1_048_576;

/** Reads each setting from its flag, otherwise from its variable, otherwise its default. Throws `INVALID_ARGUMENT` naming the flag or variable. */
export function resolveNodeConfig(
  flags: GivenFlags<SettingName>,
  env: Readonly<Record<string, string | undefined>>,
): NodeConfig {
  const read = <Value>(
    name: SettingName,
    parse: (source: string, text: string) => Value,
  ): Value => {
    const { variable, fallback } = nodeSettings[name];
    const flag = flags[name];
    if (flag !== undefined) return parse(`--${name}`, flag);
    const text = env[variable]?.trim();
    // An empty variable counts as absent.
    return text ? parse(variable, text) : parse(`--${name}`, fallback);
  };
  return {
    node: read("node", parseName),
    platform: read("platform", parseName),
    nats: read("nats", parseNatsTarget),
    insecure: read("insecure", choiceOf(["false", "true"])) === "true",
    http: read("http", parseListenAddress),
    partitions: read("partitions", countUpTo(maxPartitions)),
    replicas: read("replicas", countUpTo(maxReplicas)),
    ack: read("ack", choiceOf(acks)),
    persist: read("persist", (_source, text) => (text === "" ? undefined : resolve(text))),
    sync: read("sync", choiceOf(syncPolicies)),
    leaveMs: 1000 * read("leave-seconds", countUpTo(maxLeaveSeconds)),
    maxMib: read("max-mib", parseMaxMib),
    logLevel: read("log-level", choiceOf(logLevels)),
  };
}

function parseName(source: string, text: string): string {
  if (Buffer.byteLength(text) <= maxNameBytes && !/[\p{Cc}\p{Surrogate}]/u.test(text)) return text;
  throw invalid(
    source,
    `must be a string of at most ${maxNameBytes} bytes without control characters`,
  );
}

function countUpTo(max: number): (source: string, text: string) => number {
  return (source, text) => {
    const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (count >= 1 && count <= max) return count;
    throw invalid(source, `must be a whole number from 1 to ${max}, got ${JSON.stringify(text)}`);
  };
}

function parseMaxMib(source: string, text: string): number {
  if (text !== "auto") return countUpTo(maxMaxMib)(source, text);
  // The rest is left for requests under way, and for copies in transfer.
  return Math.floor(getHeapStatistics().heap_size_limit / 2 / 1024 / 1024);
}

function choiceOf<Choice extends string>(
  choices: readonly Choice[],
): (source: string, text: string) => Choice {
  return (source, text) => {
    const choice = choices.find((each) => each === text);
    if (choice !== undefined) return choice;
    throw invalid(source, `must be one of ${choices.join(", ")}, got ${JSON.stringify(text)}`);
  };
}

function invalid(source: string, rule: string): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", `${source} ${rule}`);
}
