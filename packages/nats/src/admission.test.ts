import type { NatsConnection } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { type AdmissionRules, isOpenOnLoopback, unprotectedReason } from "./admission.ts";
import { resolveServers } from "./servers.ts";

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

it.each([
  [undefined, true],
  ["nats://127.0.0.1:4222", true],
  [["localhost:4222", "[::1]:4223"], true],
  [["localhost:4222", "10.0.0.7:4222"], false],
  ["nats://user:password@127.0.0.1:4222", false],
  ["nats://token@localhost", false],
])(
  "knows from the options whether servers on this machine may let everybody in: %j",
  (servers, open) => {
    const options = { servers: resolveServers(servers, undefined), connection: undefined };
    expect(isOpenOnLoopback(options)).toBe(open);
  },
);

it.each([
  ["127.0.0.1:4222", {}, true],
  ["127.0.0.1:4222", { auth_required: true }, false],
  ["127.0.0.1:4222", { tls_verify: true }, false],
  ["10.0.0.7:4222", {}, false],
])("knows whether the server of a connection lets everybody in: %s %j", (server, info, open) => {
  const servers = resolveServers(undefined, undefined);
  expect(isOpenOnLoopback({ servers, connection: at(server, info) })).toBe(open);
});
