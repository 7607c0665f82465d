import type { NatsConnection } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { isOpenToNetwork, unprotectedReason } from "./nats-admission.ts";

type Rules = Parameters<typeof unprotectedReason>[1];

const nothing: Rules = {
  secrets: [],
  insecure: false,
  servers: { connect: {}, identified: false },
  connection: undefined,
};

/** As much of a connection as is looked at. */
function at(server: string, info: object = {}): NatsConnection {
  return { getServer: () => server, info: { host: "127.0.0.1", ...info } } as NatsConnection;
}

it.each(["127.0.0.1:4222", "127.8.9.1:4222", "localhost:4222", "[::1]:4222", "::1:4222"])(
  "serves through a server on this machine: %s",
  (server) => {
    expect(unprotectedReason(at(server), nothing)).toBeUndefined();
  },
);

it.each(["10.0.0.7:4222", "nats:4222", "localhost.example.com:4222", "127.0.0.1.nip.io:4222", ""])(
  "does not serve through one elsewhere that lets in anybody: %s",
  (server) => {
    expect(unprotectedReason(at(server), nothing)).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(unprotectedReason(at(server, { tls_required: true }), nothing)).toBeDefined();
  },
);

it("serves where the server or a secret keeps strangers out, or somebody said that he does not mind", () => {
  const elsewhere = at("10.0.0.7:4222");
  const identified = { connect: {}, identified: true };
  expect(unprotectedReason(at("10.0.0.7:4222", { auth_required: true }), nothing)).toBeUndefined();
  expect(unprotectedReason(at("10.0.0.7:4222", { tls_verify: true }), nothing)).toBeUndefined();
  expect(unprotectedReason(elsewhere, { ...nothing, servers: identified })).toBeUndefined();
  expect(unprotectedReason(elsewhere, { ...nothing, secrets: ["s"] })).toBeUndefined();
  expect(unprotectedReason(elsewhere, { ...nothing, insecure: true })).toBeUndefined();
  // Of a connection given nobody knows how it was made.
  const given = { ...nothing, servers: identified, connection: elsewhere };
  expect(unprotectedReason(elsewhere, given)).toBeDefined();
});

it("notices a server on this machine that others reach as well", () => {
  const open = at("127.0.0.1:4222", { host: "0.0.0.0" });
  expect(isOpenToNetwork(open, nothing)).toBe(true);
  expect(isOpenToNetwork(open, { ...nothing, secrets: ["s"] })).toBe(false);
  expect(isOpenToNetwork(open, { ...nothing, insecure: true })).toBe(false);
  expect(isOpenToNetwork(at("127.0.0.1:4222"), nothing)).toBe(false);
  const asks = at("127.0.0.1:4222", { host: "0.0.0.0", auth_required: true });
  expect(isOpenToNetwork(asks, nothing)).toBe(false);
});
