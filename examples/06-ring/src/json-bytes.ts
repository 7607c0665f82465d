/* The ring carries bytes; this application encodes them as JSON. */

export const toBytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

export function fromBytes<Value>(bytes: Uint8Array): Value {
  return JSON.parse(Buffer.from(bytes).toString()) as Value;
}
