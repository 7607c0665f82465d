import { readFields } from "@parsec/core/transport";
import { protoEnums, protoTags } from "./grpc-proto-definitions.ts";

/* The messages of grpc.health.v1, whose `.proto` file is in `proto/`. Those of groupcachepb are in core. */

const servingStatusName = "grpc.health.v1.HealthCheckResponse.ServingStatus";
/** The serving status in a health response. */
export type ServingStatus = Exclude<keyof (typeof protoEnums)[typeof servingStatusName], "UNKNOWN">;

const healthRequest = protoTags["grpc.health.v1.HealthCheckRequest"];
const healthResponse = protoTags["grpc.health.v1.HealthCheckResponse"];

/** Returns the service name of a health check; "" for the whole server. Throws `MALFORMED_FRAME`. */
export function decodeHealthCheckRequest(message: Buffer): string {
  let service = "";
  readFields(message, ({ field, wireType, bytes }) => {
    if (field * 8 + wireType === healthRequest.service) service = bytes.toString("utf8");
  });
  return service;
}

export function encodeHealthCheckResponse(status: ServingStatus): Buffer {
  return Buffer.of(healthResponse.status, protoEnums[servingStatusName][status]);
}
