import type { VerifiedToken } from "../trust/verified-token.ts";
import type { RequestAttributes } from "./request-attributes.ts";

/** Claims to add to a token: plain JSON data under names of your own. */
export type MappedClaims = Readonly<Record<string, unknown>>;

/** What a mapper can look at. */
export interface ClaimContext {
  /** Whom the token will speak of, as verified. */
  readonly subject: VerifiedToken;
  /** Who acts for the subject, when an actor token was sent. */
  readonly actor: VerifiedToken | undefined;
  readonly request: RequestAttributes;
  /** Fires when nobody waits for the token any more. */
  readonly signal: AbortSignal;
  /**
   * Asks a data source about the subject; undefined means it has nothing. One fetch per source and
   * token, however many mappers ask. Throws `INVALID_ARGUMENT` for a source that the mapper did not list.
   */
  dataSource<Data = unknown>(name: string): Promise<Data | undefined>;
}

/** Turns what is known of a subject into claims. */
export interface ClaimMapper {
  /** Shown in errors. */
  readonly name: string;
  /** Sources that `map` may ask; checked when the token service is built. Defaults to none. */
  readonly dataSources?: readonly string[];
  /**
   * Returns claims to add, later mappers winning over earlier ones; undefined values are left out.
   * Registered claims (`iss`, `sub`, `exp`, …) are refused with `INVALID_ARGUMENT`.
   */
  map(context: ClaimContext): MappedClaims | Promise<MappedClaims>;
}
