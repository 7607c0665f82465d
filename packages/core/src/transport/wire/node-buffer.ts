/**
 * The type `Buffer` where the types of Node are there, and the `Uint8Array` that it extends elsewhere, so
 * that the declarations of this package compile without `@types/node`.
 */
export type NodeBuffer = typeof globalThis extends {
  Buffer: { isBuffer(value: unknown): value is infer NodeType };
}
  ? NodeType
  : Uint8Array;
