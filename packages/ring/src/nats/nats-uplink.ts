import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { Clock, ParsecError } from "@parsec/core";
import { natsFailed } from "./nats-errors.ts";
import { type NatsServers, unprotectedReason } from "./nats-servers.ts";

/** Told when the way to NATS opens and when it is lost. */
export interface UplinkListener {
  up(client: NatsConnection): void;
  down(reason: ParsecError): void;
}

export interface UplinkOptions {
  readonly name: string;
  readonly servers: NatsServers;
  /** The application's own, instead of one that is made here. */
  readonly connection: NatsConnection | undefined;
  readonly insecure: boolean;
  readonly clock: Clock;
  readonly random: () => number;
}

const serverTimeoutMs = 5000;
/** A lost server is looked for often: nothing is served while it is away. */
const longestRetryMs = 250;
/** A server that is cut off says nothing: it is asked this often, and given up after two silences. */
const pingIntervalMs = 1000;

/** The connection to NATS, ours or the application's, through restarts of the server. */
export class NatsUplink {
  readonly #options: UplinkOptions;
  readonly #listeners: UplinkListener[] = [];
  #client: NatsConnection | undefined = undefined;
  #isUp = false;
  #started = false;
  #closed = false;
  #users = 0;
  #cancelRetry: (() => void) | undefined = undefined;
  #stopWatching: (() => void) | undefined = undefined;

  constructor(options: UplinkOptions) {
    this.#options = options;
  }

  /** The client while it can send; undefined otherwise. */
  get client(): NatsConnection | undefined {
    const client = this.#client;
    return this.#isUp && client?.isClosed() === false ? client : undefined;
  }

  listen(listener: UplinkListener): void {
    this.#listeners.push(listener);
    this.#users++;
    if (this.#isUp && this.#client !== undefined) listener.up(this.#client);
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    const { connection } = this.#options;
    if (connection === undefined) void this.#connect();
    else this.#adopt(connection);
  }

  /** One of those who listened needs it no longer; the last one closes it. */
  async release(): Promise<void> {
    this.#users--;
    if (this.#users > 0 || this.#closed) return;
    this.#closed = true;
    this.#cancelRetry?.();
    this.#stopWatching?.();
    const client = this.#client;
    const wasUp = this.#isUp;
    this.#isUp = false;
    this.#client = undefined;
    if (client === undefined || client.isClosed()) return;
    if (wasUp) await this.#soon(client.flush());
    if (this.#options.connection === undefined) await this.#soon(client.close());
  }

  async #connect(): Promise<void> {
    const { servers, name } = this.#options;
    try {
      const client = await connect({
        name,
        timeout: serverTimeoutMs,
        pingInterval: pingIntervalMs,
        noAsyncTraces: true,
        ...servers.connect,
        reconnect: true,
        maxReconnectAttempts: -1,
        waitOnFirstConnect: false,
        ignoreAuthErrorAbort: true,
        reconnectDelayHandler: () => this.#retryMs,
      });
      if (this.#closed) await client.close();
      else this.#adopt(client);
    } catch (error) {
      this.#tellDown(natsFailed("NATS cannot be reached", error));
      this.#connectLater();
    }
  }

  get #retryMs(): number {
    return Math.ceil(longestRetryMs * (0.5 + 0.5 * this.#options.random()));
  }

  #connectLater(): void {
    if (this.#closed) return;
    this.#cancelRetry = this.#options.clock.schedule(this.#retryMs, () => void this.#connect());
  }

  #adopt(client: NatsConnection): void {
    this.#client = client;
    const statuses = client.status();
    this.#stopWatching = () => {
      // The iterator has a stop method that its type does not show; without it the loop stays for ever.
      (statuses as { stop?: () => void }).stop?.();
    };
    void this.#follow(client, statuses);
    void client.closed().then((error) => this.#ended(client, error));
    void this.#arrived(client);
  }

  async #arrived(client: NatsConnection): Promise<void> {
    // A connection of the application's may be between two servers just now; it will tell.
    if (client.info === undefined || client.isClosed()) return;
    const { servers, insecure, connection } = this.#options;
    const identified = servers.identified || connection !== undefined;
    const unprotected = unprotectedReason(client, { identified, insecure });
    if (unprotected !== undefined) {
      this.#tellDown(unprotected);
      return;
    }
    try {
      await client.flush();
    } catch (error) {
      this.#tellDown(natsFailed("NATS", error));
      return;
    }
    if (this.#closed || this.#client !== client || this.#isUp) return;
    this.#isUp = true;
    for (const listener of this.#listeners) listener.up(client);
  }

  async #follow(
    client: NatsConnection,
    statuses: ReturnType<NatsConnection["status"]>,
  ): Promise<void> {
    try {
      for await (const status of statuses) {
        if (this.#client !== client) return;
        if (status.type === "disconnect") this.#lost(new Error("the connection was lost"));
        else if (status.type === "reconnect") void this.#arrived(client);
        else if (status.type === "error") this.#tellError(status.error);
      }
    } catch {
      // The iterator ends with the connection, whose end is noticed by itself.
    }
  }

  #lost(cause: unknown): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#tellDown(natsFailed("NATS", cause));
  }

  #tellError(cause: unknown): void {
    if (!this.#isUp) this.#tellDown(natsFailed("NATS", cause));
  }

  #tellDown(reason: ParsecError): void {
    if (this.#closed) return;
    for (const listener of this.#listeners) listener.down(reason);
  }

  /** The client gave up, which it does for reasons of its own only; so we begin anew. */
  #ended(client: NatsConnection, error: unknown): void {
    if (this.#client !== client || this.#closed) return;
    this.#stopWatching?.();
    this.#client = undefined;
    const wasUp = this.#isUp;
    this.#isUp = false;
    if (wasUp) this.#tellDown(natsFailed("NATS", error ?? new Error("the connection was closed")));
    if (this.#options.connection === undefined) this.#connectLater();
  }

  /** Waits for what the server does at once, unless it is gone. */
  #soon(work: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.schedule(serverTimeoutMs, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      work.then(done, done);
    });
  }
}
