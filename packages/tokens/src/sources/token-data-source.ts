import type { DataSource } from "@parsec/core";

/**
 * What a claim's data can depend on. `subject` alone names nobody: "alice" of one identity provider
 * is not "alice" of another, so a cache key needs `issuer` too. Use {@link subjectCacheKey}.
 */
export interface TokenDataSourceInput {
  readonly subject: string;
  readonly issuer: string;
  /** Claims of the subject token; sources that do not read them leave them out in `cacheInput`. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A core data source that claim mappers can ask; register it with any core registry. */
export type TokenDataSource<Data> = DataSource<TokenDataSourceInput, Data>;

/** The part of a core registry that a token service uses. */
export interface TokenDataSources {
  names(): readonly string[];
  fetch(
    name: string,
    input: TokenDataSourceInput,
    options?: { readonly signal?: AbortSignal },
  ): Promise<unknown>;
}

/** A key for "this subject of this issuer"; no other pair has the same one. */
export function subjectCacheKey(input: TokenDataSourceInput): string {
  return JSON.stringify([input.issuer, input.subject]);
}

/** The input without the claims: what a source keyed by {@link subjectCacheKey} needs. */
export function subjectCacheInput(input: TokenDataSourceInput): TokenDataSourceInput {
  return { issuer: input.issuer, subject: input.subject };
}
