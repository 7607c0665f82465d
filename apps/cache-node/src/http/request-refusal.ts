/** The error of a request that is refused before it reaches the cache. */
export class RequestRefusal extends Error {
  override readonly name: string = "RequestRefusal";
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    options: {
      readonly code: string;
      readonly message: string;
      readonly headers?: Readonly<Record<string, string>>;
    },
  ) {
    super(options.message);
    this.status = status;
    this.code = options.code;
    this.headers = options.headers ?? {};
  }
}

/** A refusal with status 400 and `INVALID_ARGUMENT`. */
export function invalidRequest(message: string): RequestRefusal {
  return new RequestRefusal(400, { code: "INVALID_ARGUMENT", message });
}
