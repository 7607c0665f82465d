/** Why a request is refused before the cache sees it. */
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

/** Something in the request is not as it should be. */
export function invalidRequest(message: string): RequestRefusal {
  return new RequestRefusal(400, { code: "INVALID_ARGUMENT", message });
}
