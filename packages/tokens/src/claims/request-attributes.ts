/** What is known of the request that asks for a token. */
export interface RequestAttributes {
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  /** The peer's address as the socket shows it. */
  readonly ipAddress?: string | undefined;
  readonly userAgent?: string | undefined;
  /** Lower-case names. Credentials (`authorization`, `cookie`, …) are not among them. */
  readonly headers: Readonly<Record<string, string>>;
}
