import type { Metadata } from "@grpc/grpc-js";

/** The first value under a key; undefined when there is none, or one of bytes. */
export function firstText(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return typeof value === "string" ? value : undefined;
}
