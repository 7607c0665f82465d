/* Generated from proto/ by `pnpm generate`; do not edit. */

/** The methods of the services. */
export const protoMethods = {
  "groupcachepb.GroupCache.Get": {
    path: "/groupcachepb.GroupCache/Get",
    requestStream: false,
    responseStream: false,
  },
  "grpc.health.v1.Health.Check": {
    path: "/grpc.health.v1.Health/Check",
    requestStream: false,
    responseStream: false,
  },
  "grpc.health.v1.Health.Watch": {
    path: "/grpc.health.v1.Health/Watch",
    requestStream: false,
    responseStream: true,
  },
} as const;

/** The tag of each field of the messages: number and wire type. */
export const protoTags = {
  "groupcachepb.GetRequest": {
    group: 10,
    key: 18,
  },
  "groupcachepb.GetResponse": {
    value: 10,
    minute_qps: 17,
  },
  "grpc.health.v1.HealthCheckRequest": {
    service: 10,
  },
  "grpc.health.v1.HealthCheckResponse": {
    status: 8,
  },
} as const;

/** The numbers of the values of enums. */
export const protoEnums = {
  "grpc.health.v1.HealthCheckResponse.ServingStatus": {
    UNKNOWN: 0,
    SERVING: 1,
    NOT_SERVING: 2,
    SERVICE_UNKNOWN: 3,
  },
} as const;
