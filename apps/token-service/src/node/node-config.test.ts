import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { nodeConfigFromEnv } from "./node-config.ts";

const alone = {
  PARSEC_AUDIENCES: "https://api.example, reports",
  PARSEC_TRUSTED_ISSUER: "https://idp.example",
  PARSEC_TRUSTED_AUDIENCE: "parsec",
  PARSEC_DATABASE_URL: "postgres://me:hunter2@db.example/users",
};
const three = {
  ...alone,
  PARSEC_SELF_URL: "http://node-1.example:8080",
  PARSEC_PEER_URLS: "http://node-1.example:8080,http://node-2.example:8080",
  PARSEC_ISSUER: "https://tokens.example",
  PARSEC_SIGNING_SECRET: "0123456789abcdef0123456789abcdef",
  PARSEC_PEER_SECRET: "0123456789abcdef",
};

test("configures a single node with few variables, on loopback", () => {
  expect(nodeConfigFromEnv(alone)).toMatchObject({
    selfUrl: "http://localhost:8080",
    listen: { host: "127.0.0.1", port: 8080 },
    issuer: "http://localhost:8080",
    audiences: ["https://api.example", "reports"],
    usersTable: "users",
    signingSecret: undefined,
    adminToken: undefined,
    clients: [],
    tokenTtlMs: 300_000,
    logLevel: "info",
  });
});

test("configures a cluster node to listen on all interfaces, on the port of its URL", () => {
  expect(nodeConfigFromEnv(three)).toMatchObject({
    peerUrls: ["http://node-1.example:8080", "http://node-2.example:8080"],
    listen: { host: undefined, port: 8080 },
    issuer: "https://tokens.example",
  });
});

test("treats a node with DNS discovery as a cluster node", () => {
  const env = {
    ...three,
    PARSEC_SELF_URL: "http://10.0.0.1:8080",
    PARSEC_PEER_URLS: "",
    PARSEC_PEER_DNS: "parsec-peers",
  };
  expect(nodeConfigFromEnv(env)).toMatchObject({
    peerUrls: ["http://10.0.0.1:8080"],
    discovery: expect.objectContaining({ start: expect.any(Function) as unknown }) as unknown,
    listen: { host: undefined, port: 8080 },
  });
  for (const name of ["PARSEC_ISSUER", "PARSEC_SIGNING_SECRET", "PARSEC_PEER_SECRET"]) {
    const message = expect.stringMatching(`^${name} must be set`) as string;
    const lacking = { ...env, [name]: "" };
    expect(() => nodeConfigFromEnv(lacking)).toThrow(expect.objectContaining({ message }));
  }
});

test("lets PARSEC_LISTEN override the listen address, and flags override both", () => {
  const listen = (value: string | undefined, flags = {}): unknown =>
    nodeConfigFromEnv({ ...three, PARSEC_LISTEN: value }, flags).listen;
  expect(listen("0.0.0.0:9000")).toEqual({ host: "0.0.0.0", port: 9000 });
  expect(listen("[::1]:9000")).toEqual({ host: "::1", port: 9000 });
  expect(listen(":9000")).toEqual({ host: undefined, port: 9000 });
  expect(listen("0.0.0.0:9000", { port: "1", host: "10.0.0.1" })).toEqual({
    host: "10.0.0.1",
    port: 1,
  });
});

test("ignores PARSEC_PORT, which Kubernetes sets for a service of that name", () => {
  const env = { ...three, PARSEC_PORT: "tcp://10.0.0.1:8080" };
  expect(nodeConfigFromEnv(env).listen.port).toBe(8080);
});

test.each([
  [{ PARSEC_SELF_URL: "node-1" }, /PARSEC_SELF_URL/],
  [{ PARSEC_PEER_URLS: "http://node-2.example:8080" }, /PARSEC_PEER_URLS must list all nodes/],
  [{ PARSEC_PEER_URLS: "http://node-1.example:8080,ftp://x" }, /PARSEC_PEER_URLS/],
  [{ PARSEC_PEER_DNS: "parsec-peers" }, /set either PARSEC_PEER_URLS or PARSEC_PEER_DNS, not both/],
  [
    { PARSEC_PEER_URLS: "", PARSEC_PEER_DNS: "parsec-peers" },
    /PARSEC_SELF_URL: .*must contain this node's address/,
  ],
  [{ PARSEC_PEER_URLS: "", PARSEC_PEER_DNS: "http://parsec-peers" }, /PARSEC_PEER_DNS must be/],
  [{ PARSEC_LISTEN: "8080" }, /PARSEC_LISTEN must be host:port/],
  [{ PARSEC_LISTEN: "x:99999" }, /PARSEC_LISTEN must be a port/],
  [{ PARSEC_ISSUER: "" }, /PARSEC_ISSUER must be set when there are several nodes/],
  [{ PARSEC_ISSUER: "tokens" }, /PARSEC_ISSUER must be a URL/],
  [{ PARSEC_ISSUER: "https://x.example/?y" }, /PARSEC_ISSUER must not have a query/],
  [{ PARSEC_AUDIENCES: " , " }, /PARSEC_AUDIENCES must be set/],
  [{ PARSEC_TRUSTED_ISSUER: undefined }, /PARSEC_TRUSTED_ISSUER must be set/],
  [{ PARSEC_TRUSTED_ISSUER: "accounts" }, /PARSEC_TRUSTED_ISSUER must be a URL/],
  [{ PARSEC_TRUSTED_JWKS_URL: "file:///x" }, /PARSEC_TRUSTED_JWKS_URL must be a URL/],
  [{ PARSEC_TRUSTED_JWKS_URL: "http://idp.example/k" }, /_JWKS_URL must begin with https:\/\//],
  [{ PARSEC_TRUSTED_JWKS_URL: "https://a:b@idp.example/" }, /_JWKS_URL must not contain cred/],
  [{ PARSEC_TRUSTED_ISSUER: "http://idp.example" }, /PARSEC_TRUSTED_ISSUER must begin with https/],
  [{ PARSEC_TRUSTED_AUDIENCE: "" }, /PARSEC_TRUSTED_AUDIENCE must be set/],
  [{ PARSEC_DATABASE_URL: undefined }, /PARSEC_DATABASE_URL must be set/],
  [{ PARSEC_DATABASE_URL: "mysql://x" }, /PARSEC_DATABASE_URL must be a URL that begins with/],
  [{ PARSEC_DATABASE_POOL: "0" }, /PARSEC_DATABASE_POOL must be a whole number from 1 to 100/],
  [{ PARSEC_DATABASE_TIMEOUT_MS: "2s" }, /PARSEC_DATABASE_TIMEOUT_MS must be a whole number/],
  [{ PARSEC_USERS_TABLE: "users; DROP TABLE users" }, /PARSEC_USERS_TABLE must be/],
  [{ PARSEC_USERS_TABLE: "a.b.c" }, /PARSEC_USERS_TABLE must be/],
  [{ PARSEC_SIGNING_SECRET: "" }, /PARSEC_SIGNING_SECRET must be set when there are several/],
  [{ PARSEC_SIGNING_SECRET: "short" }, /PARSEC_SIGNING_SECRET must have at least 32 bytes/],
  [{ PARSEC_PEER_SECRET: "" }, /PARSEC_PEER_SECRET must be set when peers are on other machines/],
  [{ PARSEC_PEER_SECRET: "short" }, /PARSEC_PEER_SECRET.* must have at least 16/],
  [{ PARSEC_ADMIN_TOKEN: "short" }, /PARSEC_ADMIN_TOKEN must have at least 16 bytes/],
  [{ PARSEC_ADMIN_TOKEN: "sixteen letters and blanks" }, /PARSEC_ADMIN_TOKEN must be printable/],
  [{ PARSEC_CLIENTS: "billing" }, /PARSEC_CLIENTS must list id:secret/],
  [
    { PARSEC_CLIENTS: "billing:s3cret" },
    /PARSEC_CLIENTS: the secret of billing must have at least/,
  ],
  [
    { PARSEC_CLIENTS: "a:kV8wQzR3nT6yLp2m,billing:changeme-changeme" },
    /PARSEC_CLIENTS: the secret of billing must not be/,
  ],
  [
    { PARSEC_SIGNING_SECRET: "s".repeat(48) },
    /PARSEC_SIGNING_SECRET must have at least 8 different/,
  ],
  [
    { PARSEC_SIGNING_SECRET: "32 random bytes that all nodes share" },
    /PARSEC_SIGNING_SECRET must not be an example/,
  ],
  [{ PARSEC_PEER_SECRET: "change me: 16 characters or more" }, /PARSEC_PEER_SECRET must not be/],
  [{ PARSEC_ADMIN_TOKEN: "my-secret-admin-token" }, /PARSEC_ADMIN_TOKEN must not be a placeholder/],
  [
    { PARSEC_PEER_SECRET_FILE: "/run/x" },
    /PARSEC_PEER_SECRET_FILE must not be set with PARSEC_PEER/,
  ],
  [
    { PARSEC_PEER_SECRET: "", PARSEC_PEER_SECRET_FILE: "/none/x" },
    /PARSEC_PEER_SECRET_FILE \(\/none\/x\) must be a readable file: ENOENT/,
  ],
  [{ PARSEC_DEMO: "yes" }, /PARSEC_DEMO must be 0 or 1, got "yes"/],
  [{ PARSEC_TOKEN_TTL_MS: "999" }, /PARSEC_TOKEN_TTL_MS must be a whole number from 1000/],
  [{ PARSEC_EXCHANGE_TIMEOUT_MS: "0" }, /PARSEC_EXCHANGE_TIMEOUT_MS must be a whole number/],
  [{ PARSEC_DRAIN_MS: "-1" }, /PARSEC_DRAIN_MS/],
  [{ PARSEC_PEER_SILENCE_MS: "0" }, /PARSEC_PEER_SILENCE_MS must be a whole number from 10/],
  [{ PARSEC_LOG_LEVEL: "loud" }, /PARSEC_LOG_LEVEL must be one of silent, fatal/],
])("rejects %j", (change, message) => {
  expect(() => nodeConfigFromEnv({ ...three, ...change })).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(message) as string,
    }),
  );
});

test("never shows a password in an error", () => {
  const env = { ...three, PARSEC_DATABASE_URL: "postgre://me:hunter2@db" };
  expect(() => nodeConfigFromEnv(env)).toThrow(/^(?!.*hunter2).*PARSEC_DATABASE_URL/);
});

test("accepts secrets that are easy to guess in a demonstration only", () => {
  const weak = { ...three, PARSEC_SIGNING_SECRET: "s".repeat(48) };
  expect(nodeConfigFromEnv({ ...weak, PARSEC_DEMO: "1" })).toMatchObject({ isDemo: true });
  expect(() => nodeConfigFromEnv({ ...weak, PARSEC_DEMO: "0" })).toThrow(/PARSEC_SIGNING_SECRET/);
});

test("reads secrets from files, names the file of a weak one, and never shows it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "parsec-secrets-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [signing, clients, weak] = ["signing", "clients", "weak"].map((name) => join(folder, name));
  await writeFile(signing as string, "dGVzdCBvZiBhIGZpbGUgd2l0aCBhIHNlY3JldA\n");
  await writeFile(clients as string, "billing:kV8wQzR3nT6yLp2m\nreports:Lp2mkV8wQzR3nT6y\n");
  await writeFile(weak as string, "super-secret-password-1234567890");
  const env = { ...three, PARSEC_SIGNING_SECRET: "", PARSEC_CLIENTS_FILE: clients };
  expect(nodeConfigFromEnv({ ...env, PARSEC_SIGNING_SECRET_FILE: signing })).toMatchObject({
    signingSecret: "dGVzdCBvZiBhIGZpbGUgd2l0aCBhIHNlY3JldA",
    clients: [{ id: "billing" }, { id: "reports" }],
  });
  const read = (): unknown => nodeConfigFromEnv({ ...env, PARSEC_SIGNING_SECRET_FILE: weak });
  expect(read).toThrow(`PARSEC_SIGNING_SECRET_FILE (${weak}) must not be a placeholder`);
  expect(read).not.toThrow("super-secret");
});
