import type { BenchTransport, TransportName } from "./bench-transport.ts";

export const transportNames: readonly TransportName[] = ["HTTP", "gRPC", "NATS"];

/** Imports one transport on demand, so that a process loads only the transport it measures. */
export async function openTransport(name: TransportName): Promise<BenchTransport> {
  if (name === "gRPC") return (await import("./grpc-transport.ts")).grpcTransport;
  if (name === "NATS") return (await import("./nats-transport.ts")).natsTransport;
  return (await import("./http-transport.ts")).httpTransport;
}
