import { ParsecError } from "@parsec/core";
import { describe } from "@parsec/core/authoring";

/** Reads fields of a parsed record, each within its limits. Throws `MALFORMED_FRAME` naming the field. */
export interface FieldReader {
  text(field: string, limits: { readonly min?: number; readonly max: number }): string;
  integer(field: string, limits: { readonly min?: number; readonly max?: number }): number;
  number(field: string, limits: { readonly min: number; readonly max: number }): number;
  boolean(field: string): boolean;
  list(field: string, limits: { readonly min?: number; readonly max: number }): readonly unknown[];
}

/** Parses bytes that hold one JSON object of at most `maxBytes`. Throws `FRAME_TOO_LARGE` or `MALFORMED_FRAME`. */
export function parseRecord(
  bytes: Uint8Array,
  limits: { readonly what: string; readonly maxBytes: number },
): FieldReader {
  const { what, maxBytes } = limits;
  if (bytes.length > maxBytes) {
    throw new ParsecError(
      "FRAME_TOO_LARGE",
      `${what} must be at most ${maxBytes} bytes, got ${bytes.length}`,
    );
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
  } catch (cause) {
    throw new ParsecError("MALFORMED_FRAME", `${what} is not valid JSON`, { cause });
  }
  return fieldsOf(parsed, what);
}

/** The fields of an object within a record. */
export function fieldsOf(value: unknown, what: string): FieldReader {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed(what, value, "an object");
  }
  const fields = value as Readonly<Record<string, unknown>>;
  const reader: FieldReader = {
    text(field, { min = 0, max }) {
      const given = fields[field];
      if (typeof given === "string" && given.length >= min && Buffer.byteLength(given) <= max) {
        return given;
      }
      throw malformed(`${what}: ${field}`, given, `a string of ${min} to ${max} bytes`);
    },
    integer(field, { min = 0, max = Number.MAX_SAFE_INTEGER }) {
      const given = fields[field];
      if (Number.isSafeInteger(given)) return reader.number(field, { min, max });
      throw malformed(`${what}: ${field}`, given, "a whole number");
    },
    number(field, { min, max }) {
      const given = fields[field];
      if (typeof given === "number" && given >= min && given <= max) return given;
      throw malformed(`${what}: ${field}`, given, `a number from ${min} to ${max}`);
    },
    boolean(field) {
      const given = fields[field];
      if (typeof given === "boolean") return given;
      throw malformed(`${what}: ${field}`, given, "true or false");
    },
    list(field, { min = 0, max }) {
      const given: unknown = fields[field];
      if (Array.isArray(given) && given.length >= min && given.length <= max) return given;
      throw malformed(`${what}: ${field}`, given, `a list of ${min} to ${max}`);
    },
  };
  return reader;
}

export function malformed(what: string, given: unknown, wanted: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", `${what} must be ${wanted}, got ${describe(given)}`);
}
