import { connect, type Msg, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import type { ParsecError } from "@parsec/core";
import { isOpenToNetwork, unprotectedReason } from "./nats-admission.ts";
import { connectionFailed, notConnected, serverComplaint } from "./nats-errors.ts";
import type { ResolvedNatsOptions } from "./nats-options.ts";

/** Told when the way to NATS opens and when it is lost. */
export interface UplinkListener {
  /** The subscriptions are in place. */
  up(client: NatsConnection): void;
  down(): void;
}

/** How long the server may take for what it does at once when it is well. */
const serverTimeoutMs = 5000;
const firstRetryMs = 100;
const longestRetryMs = 2000;
/** A server that is cut off says nothing: the client asks it this often, and gives it up after two silences. */
const pingIntervalMs = 2000;

interface Subscribed {
  readonly subject: string;
  readonly receive: (message: Msg) => void;
  current: Subscription | undefined;
}

/**
 * The connection to NATS, ours or the user's, kept through restarts of the server. While it is away, or
 * leads to a server that protects nobody, there is none: what would be sent is refused at once.
 */
export class NatsUplink {
  readonly #options: ResolvedNatsOptions;
  readonly #subscribed: Set<Subscribed> = new Set();
  readonly #listeners: UplinkListener[] = [];
  readonly #onFailure: (error: ParsecError) => void;
  #client: NatsConnection | undefined = undefined;
  #connected = false;
  #everConnected = false;
  #downSince = 0;
  #failedAttempts = 0;
  #reconnects = 0;
  #lastError: ParsecError | undefined = undefined;
  #closed = false;
  #cancelRetry: (() => void) | undefined = undefined;
  #stopWatching: (() => void) | undefined = undefined;

  constructor(options: ResolvedNatsOptions, onFailure: (error: ParsecError) => void) {
    this.#options = options;
    this.#onFailure = onFailure;
  }

  /** Whether messages can be sent and received at the moment. */
  get connected(): boolean {
    return this.#connected;
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  get lastError(): ParsecError | undefined {
    return this.#lastError;
  }

  /** Address and version of the server at the other end. */
  get server(): { readonly address: string; readonly version: string } | undefined {
    if (!this.#connected || this.#client === undefined) return undefined;
    return { address: this.#client.getServer(), version: this.#client.info?.version ?? "" };
  }

  /** The longest message the server takes; may be another after a reconnect. */
  get maxPayload(): number {
    return this.#client?.info?.max_payload ?? 0;
  }

  listen(listener: UplinkListener): void {
    this.#listeners.push(listener);
  }

  start(): void {
    const { connection } = this.#options;
    if (connection === undefined) void this.#connect();
    else void this.#adopt(connection);
  }

  /** Has everything published under `subject` handed to `receive`, through all reconnects. */
  subscribe(subject: string, receive: (message: Msg) => void): { end(): Promise<void> } {
    const subscribed: Subscribed = { subject, receive, current: undefined };
    this.#subscribed.add(subscribed);
    if (this.#client !== undefined) this.#subscribeOn(this.#client, subscribed);
    return { end: () => this.#endSubscription(subscribed) };
  }

  /** Throws `PEER_UNREACHABLE`, naming `peerId`, while there is no connection. */
  demandConnection(peerId: string): NatsConnection {
    const client = this.#client;
    if (this.#connected && client !== undefined && !client.isClosed()) return client;
    throw notConnected(peerId, this.#lastError);
  }

  /** Throws `PEER_UNREACHABLE`, naming `peerId`, while there is no connection. */
  publish(
    subject: string,
    bytes: Uint8Array,
    to: { readonly peerId: string; readonly reply?: string },
  ): void {
    const client = this.demandConnection(to.peerId);
    if (to.reply === undefined) client.publish(subject, bytes);
    else client.publish(subject, bytes, { reply: to.reply });
  }

  /** Notes what went wrong with NATS elsewhere, for the statistics. */
  noteError(error: ParsecError): void {
    this.#lastError = error;
  }

  /** Sends what was published, ends all subscriptions, and the connection unless it is the user's. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelRetry?.();
    await Promise.all([...this.#subscribed].map((subscribed) => this.#endSubscription(subscribed)));
    const client = this.#client;
    const wasConnected = this.#connected;
    this.#connected = false;
    this.#client = undefined;
    this.#stopWatching?.();
    if (client === undefined || client.isClosed()) return;
    if (wasConnected) await this.#soon(client.flush());
    if (this.#options.connection === undefined) await this.#soon(client.close());
  }

  async #connect(): Promise<void> {
    const { servers, cluster, nodeId } = this.#options;
    try {
      const client = await connect({
        name: `parsec ${cluster} ${nodeId}`,
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
      else await this.#adopt(client);
    } catch (error) {
      this.#failed(connectionFailed(error));
      this.#connectLater();
    }
  }

  #connectLater(): void {
    if (this.#closed) return;
    const { clock, random } = this.#options;
    const backoffMs = Math.min(longestRetryMs, firstRetryMs * 2 ** this.#failedAttempts);
    this.#failedAttempts = Math.min(this.#failedAttempts + 1, 16);
    const delayMs = backoffMs * (0.5 + 0.5 * random());
    this.#cancelRetry = clock.schedule(delayMs, () => void this.#connect());
  }

  /** The client asks again and again which wait is due, so it follows from the time since the loss, not from a count. */
  #reconnectDelayMs(): number {
    const { clock, random } = this.#options;
    const goneMs = this.#downSince === 0 ? 0 : clock.now() - this.#downSince;
    const backoffMs = Math.min(longestRetryMs, Math.max(firstRetryMs, goneMs / 2));
    return Math.ceil(backoffMs * (0.5 + 0.5 * random()));
  }

  #failed(error: ParsecError): void {
    this.#lastError = error;
    if (!this.#closed) this.#onFailure(error);
  }

  /** Takes a connection as it comes from the client, or from the user in whatever state. */
  async #adopt(client: NatsConnection): Promise<void> {
    if (client.isClosed()) {
      this.#failed(connectionFailed(new Error("the connection given is closed")));
      return;
    }
    this.#client = client;
    this.#watch(client);
    await this.#arrived(client);
  }

  /** The client is connected, for the first time or again. */
  async #arrived(client: NatsConnection): Promise<void> {
    // A connection of the user's may be between two servers just now; it will tell when it is back.
    if (client.info === undefined) return;
    const unprotected = unprotectedReason(client, this.#options);
    if (unprotected !== undefined) {
      this.#refuseServer(client, unprotected);
      return;
    }
    for (const subscribed of this.#subscribed) this.#subscribeOn(client, subscribed);
    try {
      await client.flush();
    } catch (error) {
      this.#failed(connectionFailed(error));
      return;
    }
    if (this.#closed || this.#client !== client || this.#connected) return;
    this.#connected = true;
    this.#failedAttempts = 0;
    this.#downSince = 0;
    this.#report(client);
    this.#everConnected = true;
    for (const listener of this.#listeners) listener.up(client);
  }

  #report(client: NatsConnection): void {
    const { onWarning, nodeId } = this.#options;
    const server = client.getServer();
    if (this.#everConnected) {
      this.#reconnects++;
      onWarning({ kind: "reconnected", peerId: nodeId, message: `connected to ${server} again` });
    } else if (isOpenToNetwork(client, this.#options)) {
      const message = `the NATS server ${server} is trusted for being on this machine, but listens on ${client.info?.host} and asks for no credentials`;
      onWarning({ kind: "unprotected", peerId: nodeId, message });
    }
  }

  #refuseServer(client: NatsConnection, reason: ParsecError): void {
    const { onWarning, nodeId, connection } = this.#options;
    onWarning({ kind: "unprotected", peerId: nodeId, message: reason.message });
    for (const subscribed of this.#subscribed) this.#unsubscribe(subscribed);
    if (connection === undefined) {
      // Perhaps another of the servers is protected: the retry asks them all again.
      this.#forget(client);
      void client.close().catch(() => {});
      this.#connectLater();
    }
    this.#failed(reason);
  }

  #subscribeOn(client: NatsConnection, subscribed: Subscribed): void {
    if (subscribed.current !== undefined && !subscribed.current.isClosed()) return;
    subscribed.current = client.subscribe(subscribed.subject, {
      callback: (error, message) => {
        if (error !== null) {
          this.#complained(error);
          return;
        }
        try {
          subscribed.receive(message);
        } catch (failure) {
          // An exception would end the client's reader, and with it the connection, for good.
          this.#failed(connectionFailed(failure));
        }
      },
    });
  }

  #unsubscribe(subscribed: Subscribed): void {
    if (this.#client?.isClosed() === false) subscribed.current?.unsubscribe();
    subscribed.current = undefined;
  }

  /** Lets what has arrived be received, then ends it. */
  async #endSubscription(subscribed: Subscribed): Promise<void> {
    if (!this.#subscribed.delete(subscribed)) return;
    const { current } = subscribed;
    if (current === undefined || current.isClosed()) return;
    if (this.#connected) await this.#soon(current.drain());
    this.#unsubscribe(subscribed);
  }

  /** What the client tells of itself: disconnects, reconnects, complaints of the server. */
  #watch(client: NatsConnection): void {
    const statuses = client.status();
    this.#stopWatching = () => {
      // The iterator has a stop method that its type does not show; without it the loop below stays for ever.
      (statuses as { stop?: () => void }).stop?.();
    };
    void this.#follow(client, statuses);
    void client.closed().then((error) => this.#ended(client, error));
  }

  async #follow(
    client: NatsConnection,
    statuses: ReturnType<NatsConnection["status"]>,
  ): Promise<void> {
    try {
      for await (const status of statuses) {
        if (this.#client !== client) return;
        if (status.type === "disconnect") this.#lostConnection(undefined);
        else if (status.type === "reconnect") void this.#arrived(client);
        else if (status.type === "error") this.#complained(status.error);
        else if (status.type === "staleConnection") {
          this.#failed(connectionFailed(new Error("the server does not answer pings")));
        }
      }
    } catch {
      // The iterator ends with the connection, whose end is noticed by itself.
    }
  }

  #complained(error: unknown): void {
    this.#failed(serverComplaint(error));
  }

  #lostConnection(cause: unknown): void {
    if (cause !== undefined) this.#lastError = connectionFailed(cause);
    if (!this.#connected) return;
    this.#connected = false;
    this.#downSince = this.#options.clock.now();
    this.#lastError ??= connectionFailed(new Error("the connection was lost"));
    const { onWarning, nodeId } = this.#options;
    const message = "the connection to NATS was lost; peers cannot be asked until it is back";
    onWarning({ kind: "disconnected", peerId: nodeId, message });
    for (const listener of this.#listeners) listener.down();
  }

  #forget(client: NatsConnection): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#stopWatching?.();
    for (const subscribed of this.#subscribed) subscribed.current = undefined;
  }

  /** The client has given up, which it only does for reasons of its own; so we begin anew. */
  #ended(client: NatsConnection, error: unknown): void {
    if (this.#client !== client || this.#closed) return;
    this.#lostConnection(error ?? new Error("the connection was closed"));
    if (this.#options.connection !== undefined) return;
    this.#forget(client);
    void this.#connect();
  }

  /** Waits for something that the server does at once, unless it is gone. */
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
