import { type ChannelOptions, Client, connectivityState } from "@grpc/grpc-js";
import { channelCredentials } from "../grpc-credentials.ts";
import type { ResolvedGrpcOptions } from "../grpc-options.ts";
import { sealBytes } from "../grpc-seal.ts";
import { addressOf, hostAndPort } from "../grpc-urls.ts";
import { answerHeadBytes, maxAnswerMessageBytes } from "../grpc-wire.ts";
import { TrackedSockets } from "./grpc-tracked-sockets.ts";

/** How much a peer may send ahead of what is read. HTTP/2's own 64 KiB would stop it within one frame. */
const flowControlBytes = 1024 * 1024;

/** One connection to a peer, made when it is first used. Not mended when it breaks: discard it. */
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
      // Two nodes of one process do not share connections, nor do lookups and signs of life.
      "grpc.use_local_subchannel_pool": 1,
      // What fails is asked again by those who know whether that does harm.
      "grpc.enable_retries": 0,
      "grpc.enable_channelz": 0,
      // Peers are neighbours: no proxy of the environment, no service configuration from DNS.
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

  /** A unary call uses it. */
  begun(): void {
    this.#calls++;
  }

  /** That call is over. */
  ended(): void {
    this.#calls--;
    if (this.#discarded && this.#calls === 0) this.#sockets.destroy();
  }

  /** Takes no more calls; closed at once, or when the last call under way has ended. */
  discard(): void {
    if (this.#discarded) return;
    this.#discarded = true;
    this.client.close();
    if (this.#calls === 0) this.#sockets.destroy();
  }
}
