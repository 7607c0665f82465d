import type { DataSource } from "@parsec/core";

/**
 * The input of a data source for claims. `subject` is unique only within one issuer, so a cache key needs
 * `issuer` too: use {@link subjectCacheKey}.
 */
export interface TokenDataSourceInput {
  /** `sub` of the subject token. */
  readonly subject: string;
  /** `iss` of the subject token. */
  readonly issuer: string;
  /** Claims of the subject token. A source that does not use them should omit them in `cacheInput`. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A core data source for claim mappers; register it with any core registry. */
export type TokenDataSource<Data> = DataSource<TokenDataSourceInput, Data>;

/** The part of a core registry that a token service uses. */
export interface TokenDataSources {
  /** Names of the registered data sources. */
  names(): readonly string[];
  /** Fetches through the cache; undefined when the source has no data. */
  fetch(
    name: string,
    input: TokenDataSourceInput,
    options?: { readonly signal?: AbortSignal },
  ): Promise<unknown>;
}

/** A cache key that is unique for issuer and subject. */
export function subjectCacheKey(input: TokenDataSourceInput): string {
  return JSON.stringify([input.issuer, input.subject]);
}

/** The input without the claims, for `cacheInput` of a source with {@link subjectCacheKey}. */
export function subjectCacheInput(input: TokenDataSourceInput): TokenDataSourceInput {
  return { issuer: input.issuer, subject: input.subject };
}
