import type { NatsConnection } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { type AdmissionRules, isOpenToNetwork, unprotectedReason } from "./admission.ts";

const nothing: AdmissionRules = {
  isProtected: false,
  identified: false,
  remedy: "or set insecure: true",
};

/** The part of a connection that is read. */
function at(server: string, info: object = {}): NatsConnection {
  return { getServer: () => server, info: { host: "127.0.0.1", ...info } } as NatsConnection;
}

it.each(["127.0.0.1:4222", "127.8.9.1:4222", "localhost:4222", "[::1]:4222", "::1:4222"])(
  "accepts a server on this machine: %s",
  (server) => {
    expect(unprotectedReason(at(server), nothing)).toBeUndefined();
  },
);

it.each(["10.0.0.7:4222", "nats:4222", "localhost.example.com:4222", "127.0.0.1.nip.io:4222", ""])(
  "refuses a server elsewhere that accepts clients without credentials: %s",
  (server) => {
    expect(unprotectedReason(at(server), nothing)).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(unprotectedReason(at(server, { tls_required: true }), nothing)).toBeDefined();
  },
);

it("accepts a server that asks for credentials, options that hold some, and nodes that are protected", () => {
  const elsewhere = at("10.0.0.7:4222");
  expect(unprotectedReason(at("10.0.0.7:4222", { auth_required: true }), nothing)).toBeUndefined();
  expect(unprotectedReason(at("10.0.0.7:4222", { tls_verify: true }), nothing)).toBeUndefined();
  expect(unprotectedReason(elsewhere, { ...nothing, identified: true })).toBeUndefined();
  expect(unprotectedReason(elsewhere, { ...nothing, isProtected: true })).toBeUndefined();
  expect(unprotectedReason(elsewhere, nothing)?.message).toContain("or set insecure: true");
});

it("detects a server on this machine that also listens to other machines", () => {
  const open = at("127.0.0.1:4222", { host: "0.0.0.0" });
  expect(isOpenToNetwork(open, nothing)).toBe(true);
  expect(isOpenToNetwork(open, { ...nothing, isProtected: true })).toBe(false);
  expect(isOpenToNetwork(open, { ...nothing, identified: true })).toBe(false);
  expect(isOpenToNetwork(at("127.0.0.1:4222"), nothing)).toBe(false);
  const asks = at("127.0.0.1:4222", { host: "0.0.0.0", auth_required: true });
  expect(isOpenToNetwork(asks, nothing)).toBe(false);
});
