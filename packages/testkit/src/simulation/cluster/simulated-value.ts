import { isParsecError } from "@parsec/core";
import type { SimulatedOutcome } from "../history/simulation-history.ts";

/** A value of the simulated origin, with its fetch and the version at that time. */
export interface SimulatedValue {
  readonly key: string;
  readonly fetch: number;
  readonly version: number;
  readonly padding: string;
}

/** The value as text, for groups of bytes. */
export function formatValue(value: SimulatedValue): string {
  return `${value.key}|${value.fetch}|${value.version}|${value.padding}`;
}

function parseValue(text: string): SimulatedValue {
  const [key = "", fetch = "", version = "", padding = ""] = text.split("|");
  return { key, fetch: Number(fetch), version: Number(version), padding };
}

/** The outcome of a request that returned this value. */
export function outcomeOfValue(value: Uint8Array | SimulatedValue | undefined): SimulatedOutcome {
  if (value === undefined) return { kind: "absent" };
  const parsed = value instanceof Uint8Array ? parseBytes(value) : value;
  return { kind: "value", fetch: parsed.fetch, version: parsed.version };
}

/** Groups store the text itself, data sources store JSON. */
function parseBytes(bytes: Uint8Array): SimulatedValue {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  return text.startsWith("{") ? (JSON.parse(text) as SimulatedValue) : parseValue(text);
}

/** The outcome of a request that rejected with `error`. */
export function outcomeOfError(error: unknown): SimulatedOutcome {
  if (isParsecError(error)) return { kind: "error", code: error.code, message: error.message };
  return { kind: "error", code: "FOREIGN", message: String(error) };
}
