import { connect, type Msg, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import type { Clock, ParsecError } from "@parsec/core";
import { natsFailed } from "./nats-errors.ts";
import type { NatsServers } from "./servers.ts";

/** Called when the state of an uplink changes. Listeners are called in the order in which they were added. */
export interface UplinkListener {
  /** Connected, for the first time or again; all subscriptions are in place. */
  up?(client: NatsConnection): void;
  /** The connection was lost. It is established again in the background. */
  down?(reason: ParsecError): void;
  /** An attempt to connect failed, or the server reported an error. Called in either state. */
  failed?(error: ParsecError): void;
}

export interface UplinkOptions {
  /** The client's name, as the server's monitoring shows it. */
  readonly name: string;
  readonly servers: NatsServers;
  /** A connection of the application, used instead of `servers` and never closed here. */
  readonly connection: NatsConnection | undefined;
  /** Returns why a server that was reached must not be used. */
  readonly refuse: (client: NatsConnection) => ParsecError | undefined;
  /** The wait before the first attempt to reconnect, and the longest one; each is randomized down to its half. */
  readonly retry: { readonly firstMs: number; readonly longestMs: number };
  /** Interval of pings to the server, which counts as lost after two that it did not answer. */
  readonly pingIntervalMs: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** A subscription that is renewed after each reconnect. */
export interface UplinkSubscription {
  /** Delivers what has arrived, then unsubscribes. */
  end(): Promise<void>;
}

/** A connection to NATS that is re-established until it is closed. */
export interface NatsUplink {
  /** The client while messages can be sent; undefined while disconnected. */
  readonly client: NatsConnection | undefined;
  readonly connected: boolean;
  /** How many times the connection was lost and established again. */
  readonly reconnects: number;
  /** The last error; stays after a reconnect. */
  readonly lastError: ParsecError | undefined;
  /** Adds a listener. Its `up` is called at once when the uplink is connected already. */
  listen(listener: UplinkListener): void;
  /** Connects. Later calls change nothing. */
  start(): void;
  /** Passes every message that is published under `subject` to `receive`, across reconnects. */
  subscribe(subject: string, receive: (message: Msg) => void): UplinkSubscription;
  /** Records an error of something that uses the connection, for `lastError`. */
  noteError(error: ParsecError): void;
  /** Sends what was published, ends all subscriptions, and the connection unless the application gave it. */
  close(): Promise<void>;
}

/** Creates an uplink that connects on `start`. */
export function createUplink(options: UplinkOptions): NatsUplink {
  return new Uplink(options);
}

/** The time limit of what a healthy server does at once. */
const serverTimeoutMs = 5000;

interface Subscribed {
  readonly subject: string;
  readonly receive: (message: Msg) => void;
  current: Subscription | undefined;
}

class Uplink implements NatsUplink {
  readonly #options: UplinkOptions;
  readonly #subscribed: Set<Subscribed> = new Set();
  readonly #listeners: UplinkListener[] = [];
  /** The client in whatever state; `#isUp` says whether it can send. */
  #client: NatsConnection | undefined = undefined;
  #isUp = false;
  #wasUp = false;
  #downSince = 0;
  #failedAttempts = 0;
  #reconnects = 0;
  #lastError: ParsecError | undefined = undefined;
  #started = false;
  #closed = false;
  #cancelRetry: (() => void) | undefined = undefined;
  #stopWatching: (() => void) | undefined = undefined;

  constructor(options: UplinkOptions) {
    this.#options = options;
  }

  get client(): NatsConnection | undefined {
    const client = this.#client;
    return this.#isUp && client?.isClosed() === false ? client : undefined;
  }

  get connected(): boolean {
    return this.client !== undefined;
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  get lastError(): ParsecError | undefined {
    return this.#lastError;
  }

  listen(listener: UplinkListener): void {
    this.#listeners.push(listener);
    if (this.#isUp && this.#client !== undefined) listener.up?.(this.#client);
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    const { connection } = this.#options;
    if (connection === undefined) void this.#connect();
    else if (connection.isClosed()) this.#failed(new Error("the connection given is closed"));
    else this.#adopt(connection);
  }

  subscribe(subject: string, receive: (message: Msg) => void): UplinkSubscription {
    const subscribed: Subscribed = { subject, receive, current: undefined };
    this.#subscribed.add(subscribed);
    if (this.#client !== undefined) this.#subscribeOn(this.#client, subscribed);
    return { end: () => this.#endSubscription(subscribed) };
  }

  noteError(error: ParsecError): void {
    this.#lastError = error;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelRetry?.();
    const client = this.#client;
    await this.#settled(this.#drain(client));
    this.#isUp = false;
    this.#client = undefined;
    this.#stopWatching?.();
    if (client === undefined || client.isClosed()) return;
    if (this.#options.connection === undefined) await this.#settled(client.close());
  }

  async #drain(client: NatsConnection | undefined): Promise<void> {
    await Promise.all([...this.#subscribed].map((subscribed) => this.#endSubscription(subscribed)));
    if (this.#isUp && client?.isClosed() === false) await client.flush();
  }

  async #connect(): Promise<void> {
    const { servers, name, pingIntervalMs } = this.#options;
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
        reconnectDelayHandler: () => this.#reconnectDelayMs(),
      });
      if (this.#closed) await client.close();
      else this.#adopt(client);
    } catch (error) {
      this.#failed(error);
      this.#connectLater();
    }
  }

  #connectLater(): void {
    if (this.#closed) return;
    const { clock, retry } = this.#options;
    const backoffMs = Math.min(retry.longestMs, retry.firstMs * 2 ** this.#failedAttempts);
    this.#failedAttempts = Math.min(this.#failedAttempts + 1, 16);
    this.#cancelRetry = clock.schedule(this.#randomized(backoffMs), () => void this.#connect());
  }

  /** Derived from the time since the loss and not from a count: the client asks for the same delay several times. */
  #reconnectDelayMs(): number {
    const { clock, retry } = this.#options;
    const downMs = this.#downSince === 0 ? 0 : clock.now() - this.#downSince;
    return this.#randomized(Math.min(retry.longestMs, Math.max(retry.firstMs, downMs / 2)));
  }

  #randomized(delayMs: number): number {
    return Math.ceil(delayMs * (0.5 + 0.5 * this.#options.random()));
  }

  /** Takes over a client: a new one, or the application's in whatever state it is. */
  #adopt(client: NatsConnection): void {
    this.#client = client;
    const statuses = client.status();
    this.#stopWatching = () => {
      // The iterator has a stop method that its type does not declare; without it the loop never ends.
      (statuses as { stop?: () => void }).stop?.();
    };
    void this.#follow(client, statuses);
    void client.closed().then((error) => this.#ended(client, error));
    void this.#arrived(client);
  }

  /** The client is connected, for the first time or again. */
  async #arrived(client: NatsConnection): Promise<void> {
    // The application's connection may be between two servers: its "reconnect" status follows.
    if (client.info === undefined || client.isClosed()) return;
    const refusal = this.#options.refuse(client);
    if (refusal !== undefined) {
      this.#refuseServer(client, refusal);
      return;
    }
    for (const subscribed of this.#subscribed) this.#subscribeOn(client, subscribed);
    try {
      await client.flush();
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (this.#closed || this.#client !== client || this.#isUp) return;
    this.#isUp = true;
    this.#failedAttempts = 0;
    this.#downSince = 0;
    if (this.#wasUp) this.#reconnects++;
    this.#wasUp = true;
    for (const listener of this.#listeners) listener.up?.(client);
  }

  #refuseServer(client: NatsConnection, reason: ParsecError): void {
    for (const subscribed of this.#subscribed) this.#unsubscribe(subscribed);
    if (this.#options.connection === undefined) {
      // Another of the servers may be protected: the retry tries them all again.
      this.#forget(client);
      void client.close().catch(() => {});
      this.#connectLater();
    }
    this.#failed(reason);
  }

  #subscribeOn(client: NatsConnection, subscribed: Subscribed): void {
    if (subscribed.current?.isClosed() === false) return;
    subscribed.current = client.subscribe(subscribed.subject, {
      callback: (error, message) => {
        try {
          if (error !== null) throw error;
          subscribed.receive(message);
        } catch (failure) {
          // An exception would end the client's reader, and with it the connection.
          this.#failed(failure);
        }
      },
    });
  }

  #unsubscribe(subscribed: Subscribed): void {
    if (this.#client?.isClosed() === false) subscribed.current?.unsubscribe();
    subscribed.current = undefined;
  }

  async #endSubscription(subscribed: Subscribed): Promise<void> {
    if (!this.#subscribed.delete(subscribed)) return;
    const { current } = subscribed;
    if (current === undefined || current.isClosed()) return;
    if (this.#isUp) await this.#settled(current.drain());
    this.#unsubscribe(subscribed);
  }

  async #follow(
    client: NatsConnection,
    statuses: ReturnType<NatsConnection["status"]>,
  ): Promise<void> {
    try {
      for await (const status of statuses) {
        if (this.#client !== client) return;
        if (status.type === "disconnect") this.#lost(undefined);
        else if (status.type === "reconnect") void this.#arrived(client);
        else if (status.type === "error") this.#failed(status.error);
        else if (status.type === "staleConnection") {
          this.#failed(new Error("the server does not answer pings"));
        }
      }
    } catch {
      // The iterator ends with the connection; `closed` reports that.
    }
  }

  #failed(cause: unknown): void {
    const error = natsFailed("NATS", cause);
    this.#lastError = error;
    if (this.#closed) return;
    for (const listener of this.#listeners) listener.failed?.(error);
  }

  #lost(cause: unknown): void {
    const reason = natsFailed("NATS", cause ?? new Error("the connection was lost"));
    if (cause !== undefined) this.#lastError = reason;
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#downSince = this.#options.clock.now();
    this.#lastError ??= reason;
    for (const listener of this.#listeners) listener.down?.(reason);
  }

  #forget(client: NatsConnection): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#stopWatching?.();
    for (const subscribed of this.#subscribed) subscribed.current = undefined;
  }

  /** The client gave up reconnecting, or the application closed its connection. */
  #ended(client: NatsConnection, error: unknown): void {
    if (this.#client !== client || this.#closed) return;
    this.#lost(error ?? new Error("the connection was closed"));
    if (this.#options.connection !== undefined) return;
    this.#forget(client);
    this.#connectLater();
  }

  /** Waits for something that a healthy server does at once. */
  #settled(work: Promise<unknown>): Promise<void> {
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
