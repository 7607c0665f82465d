import net from "node:net";

/** A response as received on the socket. */
export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The body, parsed as the JSON of an error. */
  json(): { readonly error: string; readonly code: string; readonly message: string };
}

/** A raw connection, for requests that no HTTP client sends. */
export class RawConnection {
  readonly socket: net.Socket;
  #received: Buffer = Buffer.alloc(0);
  #onData: () => void = () => {};
  readonly closed: Promise<void>;

  constructor(port: number) {
    this.socket = net.connect(port, "127.0.0.1");
    this.socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#onData();
    });
    // Many tests expect the connection to be closed.
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => this.socket.on("close", () => resolve()));
    void this.closed.then(() => this.#onData());
  }

  write(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** Waits until `enough` returns true for the received bytes, or the connection ends. */
  async #receive(enough: (received: Buffer) => boolean): Promise<Buffer> {
    while (!enough(this.#received) && !this.socket.closed) {
      await new Promise<void>((resolve) => {
        this.#onData = resolve;
      });
    }
    return this.#received;
  }

  /** Waits for some text to arrive. */
  async receiveText(text: string): Promise<void> {
    const received = await this.#receive((bytes) => bytes.includes(text));
    if (!received.includes(text)) throw new Error(`the connection ended before ${text} came`);
  }

  /** Reads the next response with a content-length. Throws when the connection ends before it is complete. */
  async response(): Promise<RawResponse> {
    let end = 0;
    let parsed: RawResponse | undefined;
    await this.#receive((bytes) => {
      const headEnd = bytes.indexOf("\r\n\r\n");
      if (headEnd < 0) return false;
      const [statusLine, ...lines] = bytes.subarray(0, headEnd).toString("latin1").split("\r\n");
      const headers = Object.fromEntries(
        lines.map((line) => {
          const colon = line.indexOf(":");
          return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
        }),
      );
      end = headEnd + 4 + Number(headers["content-length"] ?? 0);
      if (bytes.length < end) return false;
      const body = bytes.subarray(headEnd + 4, end);
      parsed = {
        status: Number(statusLine?.split(" ")[1]),
        headers,
        body,
        json: () => JSON.parse(body.toString()),
      };
      return true;
    });
    if (parsed === undefined)
      throw new Error("the connection ended before a response was complete");
    this.#received = this.#received.subarray(end);
    return parsed;
  }

  end(): void {
    this.socket.destroy();
  }
}

/** Sends one request as raw text and bytes, and returns its response. */
export async function rawRequest(
  port: number,
  head: readonly string[],
  body: Uint8Array = new Uint8Array(),
): Promise<RawResponse> {
  const connection = new RawConnection(port);
  connection.write(Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"));
  if (body.length > 0) connection.write(body);
  try {
    return await connection.response();
  } finally {
    connection.end();
  }
}
