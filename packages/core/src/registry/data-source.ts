/**
 * A named function from an input to data, such as "the user with this id". Parsec calls `fetch` on
 * the node that owns the key, once per cluster, and keeps the answer.
 */
export interface DataSource<Input, Data> {
  /** Unique in a registry, the same on every node. */
  readonly name: string;
  /** What the answer depends on, as text. `""` means: do not cache this call. */
  cacheKey(input: Input): string;
  /** Only the fields that `fetch` needs; this is what travels to the owner, as JSON. Defaults to the whole input. */
  cacheInput?(input: Input): Input;
  /** Rebuilds an input from its key, for askers that send only keys (Go's groupcache). */
  inputFromKey?(key: string): Input;
  /** Asks the origin. Undefined means "there is none". `signal` fires on timeout or when nobody waits any more. */
  fetch(input: Input, context: { readonly signal: AbortSignal }): Promise<Data | undefined>;
}
