/** Limits of all records that are written to or read from the coordinator. */
export const tableLimits = {
  maxPartitions: 4096,
  maxReplicas: 8,
  maxMembers: 1000,
  maxNameBytes: 255,
  maxAddressBytes: 1024,
  maxWeight: 1000,
  maxTableBytes: 900_000,
  maxLeaseBytes: 4096,
} as const;
