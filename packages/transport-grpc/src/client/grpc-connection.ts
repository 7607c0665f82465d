import { type ChannelOptions, Client, connectivityState } from "@grpc/grpc-js";
import { channelCredentials } from "../grpc-credentials.ts";
import type { ResolvedGrpcOptions } from "../grpc-options.ts";
import { sealBytes } from "../grpc-seal.ts";
import { addressOf, hostAndPort } from "../grpc-urls.ts";
import { answerHeadBytes, maxAnswerMessageBytes } from "../grpc-wire.ts";
import { TrackedSockets } from "./grpc-tracked-sockets.ts";

/** Flow-control window for the peer's data. HTTP/2's default of 64 KiB is smaller than one frame. */
const flowControlBytes = 1024 * 1024;

/** One connection to a peer, opened on first use. It is not reopened after a failure: discard it. */
export class GrpcConnection {
  readonly client: Client;
  readonly #sockets: TrackedSockets = new TrackedSockets();
  #calls = 0;
  #discarded = false;

  constructor(peerId: string, options: ResolvedGrpcOptions) {
    const { tls, connections } = options;
    const { host, port, secure } = addressOf(peerId);
    const settings: ChannelOptions = {
      "grpc.max_receive_message_length": maxAnswerMessageBytes + answerHeadBytes + sealBytes,
      "grpc.max_send_message_length": -1,
      "grpc.keepalive_time_ms": connections.keepAliveMs,
      "grpc.keepalive_timeout_ms": connections.keepAliveTimeoutMs,
      "grpc.keepalive_permit_without_calls": 1,
      "grpc-node.flow_control_window": flowControlBytes,
      // Nodes in one process must not share connections, and neither must lookups and pings.
      "grpc.use_local_subchannel_pool": 1,
      // Retries are decided by the callers, which know whether a call is idempotent.
      "grpc.enable_retries": 0,
      "grpc.enable_channelz": 0,
      // Connects to peers directly: no proxy from the environment, no service configuration from DNS.
      "grpc.enable_http_proxy": 0,
      "grpc.service_config_disable_resolution": 1,
      ...(tls?.serverName === undefined
        ? {}
        : {
            "grpc.ssl_target_name_override": tls.serverName,
            "grpc.default_authority": tls.serverName,
          }),
    };
    const credentials = channelCredentials(tls, secure ?? tls !== undefined);
    const target = `dns:${hostAndPort(host, port)}`;
    this.client = new Client(target, this.#sockets.track(credentials), settings);
  }

  get isReady(): boolean {
    return this.client.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  /** Counts the start of a unary call. */
  begun(): void {
    this.#calls++;
  }

  /** Counts the end of a unary call. */
  ended(): void {
    this.#calls--;
    if (this.#discarded && this.#calls === 0) this.#sockets.destroy();
  }

  /** Accepts no more calls. Closes when the last pending call has ended. */
  discard(): void {
    if (this.#discarded) return;
    this.#discarded = true;
    this.client.close();
    if (this.#calls === 0) this.#sockets.destroy();
  }
}
