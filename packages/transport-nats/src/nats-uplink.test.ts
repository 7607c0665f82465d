import type { NatsConnection } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { admissionRules } from "./nats-uplink.ts";

type Options = Parameters<typeof admissionRules>[0];

const nothing: Options = {
  secrets: [],
  insecure: false,
  servers: { connect: {}, identified: false },
  connection: undefined,
};
const identified = { connect: {}, identified: true };

it("counts a node with a secret, or one that accepts an open server, as protected", () => {
  expect(admissionRules(nothing)).toMatchObject({ isProtected: false, identified: false });
  expect(admissionRules({ ...nothing, secrets: ["s"] }).isProtected).toBe(true);
  expect(admissionRules({ ...nothing, insecure: true }).isProtected).toBe(true);
});

it("trusts credentials of the options, but not those of a connection that the application made", () => {
  expect(admissionRules({ ...nothing, servers: identified }).identified).toBe(true);
  const connection = {} as NatsConnection;
  expect(admissionRules({ ...nothing, servers: identified, connection }).identified).toBe(false);
});
