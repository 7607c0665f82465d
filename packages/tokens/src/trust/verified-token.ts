/** What a token said, after its signature and all its claims were checked. */
export interface VerifiedToken {
  /** `iss`: one of the trusted issuers. */
  readonly issuer: string;
  /** `sub` as that issuer wrote it. Unique only together with `issuer`. */
  readonly subject: string;
  /** `sub` for tokens of ours: no two trusted issuers can arrive at the same one. */
  readonly qualifiedSubject: string;
  /** Until when the token counts, in ms since the epoch: `exp` plus the clock tolerance. */
  readonly acceptedUntilMs: number;
  /** What `scope` or `scp` lists; undefined when the token has neither. */
  readonly scope: readonly string[] | undefined;
  /** All claims, deeply frozen. */
  readonly claims: Readonly<Record<string, unknown>>;
}
