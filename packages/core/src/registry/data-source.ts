/**
 * A named function from an input to data, such as "the user with this id". Parsec calls `fetch` on the node
 * that owns the key, once per cluster, and caches the result.
 */
export interface DataSource<Input, Data> {
  /** Unique in a registry and the same on every node. 1 to 200 characters. */
  readonly name: string;
  /** The cache key of an input: everything that the result depends on, as a string. `""` means: do not cache this call. */
  cacheKey(input: Input): string;
  /** Reduces an input to the fields that `fetch` and `cacheKey` need. It travels to the owner as JSON. Defaults to the whole input. */
  cacheInput?(input: Input): Input;
  /** Rebuilds an input from its key, for requests that carry only keys (Go's groupcache). */
  inputFromKey?(key: string): Input;
  /** Fetches from the origin; resolves with undefined when it has no value. `signal` fires on timeout or when no callers are left. */
  fetch(input: Input, context: { readonly signal: AbortSignal }): Promise<Data | undefined>;
}
