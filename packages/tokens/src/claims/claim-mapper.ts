import type { VerifiedToken } from "../trust/verified-token.ts";
import type { RequestAttributes } from "./request-attributes.ts";

/** Claims to add to a token: JSON data under any name but those of registered claims. */
export type MappedClaims = Readonly<Record<string, unknown>>;

/** The input of a claim mapper. */
export interface ClaimContext {
  /** The verified subject token. */
  readonly subject: VerifiedToken;
  /** The verified actor token; undefined when none was sent. */
  readonly actor: VerifiedToken | undefined;
  /** Attributes of the HTTP request. */
  readonly request: RequestAttributes;
  /** Fires when the exchange is aborted or times out. */
  readonly signal: AbortSignal;
  /**
   * Fetches the subject's data from a data source; undefined when it has none. Mappers share one fetch
   * per source and token. Rejects with `INVALID_ARGUMENT` for a source that the mapper does not list in
   * `dataSources`, and with the error of the source.
   */
  dataSource<Data = unknown>(name: string): Promise<Data | undefined>;
}

/** Adds claims to tokens. */
export interface ClaimMapper {
  /** Name for error messages. */
  readonly name: string;
  /** Names of the data sources that `map` uses; checked when the token service is created. Defaults to none. */
  readonly dataSources?: readonly string[];
  /**
   * Returns the claims to add. Claims of later mappers replace those of earlier ones; undefined values
   * are omitted. Registered claims (`iss`, `sub`, `exp`, …) fail the exchange with `INVALID_ARGUMENT`.
   */
  map(context: ClaimContext): MappedClaims | Promise<MappedClaims>;
}
