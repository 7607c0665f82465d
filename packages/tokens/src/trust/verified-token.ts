/** The contents of a token after all checks. */
export interface VerifiedToken {
  /** `iss`: one of the trusted issuers. */
  readonly issuer: string;
  /** `sub` of the token. Unique only together with `issuer`. */
  readonly subject: string;
  /** `sub` for issued tokens: `subjectPrefix` plus `subject`. Unique across all trusted issuers. */
  readonly qualifiedSubject: string;
  /** Time until which the token is accepted, in ms since the epoch: `exp` plus the clock tolerance. */
  readonly acceptedUntilMs: number;
  /** `typ` of the header in lower case and without "application/", such as `at+jwt`; undefined when absent. */
  readonly mediaType: string | undefined;
  /** The names in `scope` or `scp`; undefined when the token has neither. */
  readonly scope: readonly string[] | undefined;
  /** All claims, deeply frozen. */
  readonly claims: Readonly<Record<string, unknown>>;
}
