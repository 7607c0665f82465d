export type { AdmissionRules } from "./admission.ts";
export { isOpenOnLoopback, unprotectedReason } from "./admission.ts";
export type { Bucket, BucketOptions, BucketWrite } from "./bucket.ts";
export { openBucket } from "./bucket.ts";
export type {
  BucketEntry,
  BucketSnapshot,
  BucketWatch,
  BucketWatcher,
} from "./bucket-watch.ts";
export {
  causedBy,
  describeError,
  isBucketGone,
  isWriteConflict,
  lacksJetStream,
  natsFailed,
  withoutJetStream,
} from "./nats-errors.ts";
export type { NatsServers } from "./servers.ts";
export { resolveServers } from "./servers.ts";
export type {
  NatsUplink,
  UplinkListener,
  UplinkOptions,
  UplinkSubscription,
} from "./uplink.ts";
export { createUplink } from "./uplink.ts";
