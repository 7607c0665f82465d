/** Attributes of the HTTP request to the token endpoint, for claim mappers. */
export interface RequestAttributes {
  /** HTTP method. */
  readonly method?: string | undefined;
  /** Path without query. */
  readonly path?: string | undefined;
  /** The remote address of the socket: the proxy's, behind a proxy. */
  readonly ipAddress?: string | undefined;
  /** The `user-agent` header. */
  readonly userAgent?: string | undefined;
  /** All headers by lower-case name, except credentials (`authorization`, `cookie`, `proxy-authorization`). */
  readonly headers: Readonly<Record<string, string>>;
}
