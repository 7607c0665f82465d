import type { NatsConnection } from "@nats-io/transport-node";

const safeReplicas = 3;

/** What an operator should know about a server and the bucket on it: too few copies, a version with known faults. */
export function serverWarnings(
  client: Pick<NatsConnection, "info">,
  { bucket, replicas }: { readonly bucket: string; readonly replicas: number },
): string[] {
  const { info } = client;
  const warnings: string[] = [];
  if (info?.cluster !== undefined && replicas < safeReplicas) {
    warnings.push(
      `the bucket ${bucket} has ${replicas} of the ${safeReplicas} copies that it needs to survive the loss of a NATS server`,
    );
  }
  const version = info?.version ?? "";
  const [major = 0, minor = 0, patch = 0] = version
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  if (major === 2 && minor < 9) {
    warnings.push(`nats-server ${version} is older than 2.9, the oldest version that is tested`);
  } else if (major === 2 && minor === 10 && patch < 23) {
    warnings.push(
      `nats-server ${version} can lose a whole stream in a crash: use 2.10.23 or newer`,
    );
  }
  return warnings;
}
