import { randomBytes } from "node:crypto";
import { choiceOption, numberOption } from "@parsec/core";
import type { Coordinator } from "../coordinator/coordinator.ts";
import type { Link } from "../link/link.ts";
import type { RingOptions, RingSettings } from "../ring-options.ts";
import { NatsCoordinator } from "./nats-coordinator.ts";
import { linkLimit, NatsLink } from "./nats-link.ts";
import { bucketName, nodeSubject } from "./nats-names.ts";
import { resolveNatsServers } from "./nats-servers.ts";
import { NatsUplink } from "./nats-uplink.ts";

/** Has the nodes agree, and reach each other, by way of NATS. Throws `INVALID_ARGUMENT`. */
export function createNatsBackend(
  settings: RingSettings,
  options: RingOptions,
): { readonly coordinator: Coordinator; readonly link: Link } {
  const { platform, node, clock, random, maxPayloadBytes } = settings;
  const uplink = new NatsUplink({
    name: `parsec ring ${platform} ${node}`,
    servers: resolveNatsServers(options),
    connection: options.connection,
    insecure: options.insecure === true,
    clock,
    random,
  });
  const coordinator = new NatsCoordinator({
    uplink,
    bucket: bucketName(platform),
    replicas: numberOption("bucketReplicas", {
      given: options.bucketReplicas,
      fallback: 1,
      min: 1,
      max: 5,
    }),
    storage: choiceOption("bucketStorage", {
      given: options.bucketStorage,
      choices: ["file", "memory"],
    }),
    clock,
  });
  const address = nodeSubject({ platform, node, process: randomBytes(8).toString("hex") });
  const maxBytes = linkLimit(maxPayloadBytes);
  return { coordinator, link: new NatsLink({ uplink, address, clock, maxBytes }) };
}
