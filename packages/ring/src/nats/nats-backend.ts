import { randomBytes } from "node:crypto";
import { choiceOption, numberOption } from "@parsec/core/authoring";
import { createUplink, resolveServers, unprotectedReason } from "@parsec/nats";
import type { Coordinator } from "../coordinator/coordinator.ts";
import type { Link } from "../link/link.ts";
import type { RingOptions, RingSettings } from "../ring-options.ts";
import { NatsCoordinator } from "./nats-coordinator.ts";
import { linkLimit, NatsLink } from "./nats-link.ts";
import { bucketName, nodeSubject } from "./nats-names.ts";

/** Nothing is served while the server is away, so reconnects are attempted often. */
const retry = { firstMs: 250, longestMs: 250 };
const pingIntervalMs = 1000;

/** Creates the coordinator and the link of a node over one connection to NATS. Throws `INVALID_ARGUMENT`. */
export function createNatsBackend(
  settings: RingSettings,
  options: RingOptions,
): { readonly coordinator: Coordinator; readonly link: Link } {
  const { platform, node, clock, random, maxPayloadBytes } = settings;
  const { connection } = options;
  const servers = resolveServers(options.servers, options.connectionOptions);
  const rules = {
    isProtected: options.insecure === true,
    identified: servers.identified || connection !== undefined,
    remedy: "or set insecure: true",
  };
  const uplink = createUplink({
    name: `parsec ring ${platform} ${node}`,
    servers,
    connection,
    refuse: (client) => unprotectedReason(client, rules),
    retry,
    pingIntervalMs,
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
