// The schemas cannot check whether the manifests fit each other and the program that they run.

import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { freePort } from "../servers/free-port.mjs";

const deploy = new URL("../../deploy/", import.meta.url);
const node = fileURLToPath(new URL("../../apps/token-service/dist/node.js", import.meta.url));

/** @param {string} path */
const read = (path) => readFile(new URL(path, deploy), "utf8");

/** @typedef {ReturnType<typeof parse>} Manifest Its shape is what check-manifests.mjs looks at. */

const compose = parse(await read("docker-compose.yml"), { merge: true });
const files = await readdir(new URL("kubernetes/", deploy), { recursive: true });
/** @type {Manifest[]} */
const manifests = (
  await Promise.all(
    files
      .filter((file) => file.endsWith(".yaml"))
      .map(async (file) => parseAllDocuments(await read(`kubernetes/${file}`))),
  )
)
  .flat()
  .map((document) => document.toJS());

/** @param {string} kind @param {string} [name] @returns {Manifest} */
const find = (kind, name = "parsec") =>
  manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);

const workloads = [find("StatefulSet"), find("Deployment")];
const services = [find("Service"), find("Service", "parsec-peers")];

/** @param {Manifest} workload */
const containerOf = (workload) => workload.spec.template.spec.containers[0];

/**
 * The environment of a container, as Kubernetes assembles it.
 *
 * @param {Manifest} workload
 * @param {Record<string, string>} fields what the field references stand for
 */
function environmentOf(workload, fields) {
  const container = containerOf(workload);
  /** @type {Record<string, string>} */
  const environment = {};
  for (const { configMapRef, secretRef } of container.envFrom) {
    if (configMapRef) Object.assign(environment, find("ConfigMap", configMapRef.name).data);
    if (secretRef) Object.assign(environment, find("Secret", secretRef.name).stringData);
  }
  for (const { name, value, valueFrom } of container.env) {
    const given = value ?? fields[valueFrom.fieldRef.fieldPath];
    environment[name] = given.replace(
      /\$\((\w+)\)/g,
      (/** @type {string} */ _all, /** @type {string} */ other) => environment[other],
    );
  }
  return environment;
}

/**
 * The environment after Compose has substituted its variables.
 *
 * @param {Record<string, string>} environment
 * @param {Record<string, string>} variables
 */
function interpolate(environment, variables) {
  const insert = (/** @type {string} */ value) =>
    value.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_all, name, kind, text) =>
      kind === "-" ? (variables[name] ?? text) : (variables[name] ?? ""),
    );
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, insert(value)]),
  );
}

const secrets = {
  PARSEC_PEER_SECRET: randomBytes(24).toString("hex"),
  PARSEC_SIGNING_SECRET: randomBytes(24).toString("hex"),
  PARSEC_ADMIN_TOKEN: randomBytes(24).toString("hex"),
};
/** Nobody listens there. */
const nowhere = {
  PARSEC_DATABASE_URL: "postgres://parsec@127.0.0.1:1/parsec",
  PARSEC_TRUSTED_JWKS_URL: "http://127.0.0.1:1/",
};
const variables = {
  ...secrets,
  POSTGRES_PASSWORD: "1",
  PARSEC_AUDIENCES: "a",
  PARSEC_TRUSTED_ISSUER: "i",
  PARSEC_TRUSTED_AUDIENCE: "t",
};
const environments = {
  compose: interpolate(compose.services["parsec-2"].environment, variables),
  "the stateful set": {
    ...environmentOf(find("StatefulSet"), { "metadata.name": "parsec-1" }),
    ...secrets,
  },
  "the deployment": {
    ...environmentOf(find("Deployment"), { "status.podIP": "10.1.2.3" }),
    ...secrets,
  },
};

test.each(Object.entries(environments))(
  "a node starts as %s tells it, is live, waits for its database, and ends in time",
  async (_name, environment) => {
    const port = await freePort();
    const child = spawn(process.execPath, [node, "--host", "127.0.0.1", "--port", String(port)], {
      env: { ...environment, ...nowhere, PARSEC_LOG_LEVEL: "fatal" },
      stdio: ["ignore", "ignore", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const ended = once(child, "exit");
    const { livenessProbe, readinessProbe } = containerOf(find("Deployment"));
    const get = (/** @type {string} */ path) => fetch(`http://127.0.0.1:${port}${path}`);
    const status = () =>
      get(livenessProbe.httpGet.path).then(
        (answer) => answer.status,
        () => 0,
      );
    await expect.poll(status, { timeout: 20_000 }).toBe(200);

    const ready = await get(readinessProbe.httpGet.path);
    expect(ready.status).toBe(503);
    // Whether DNS has answered depends on whether there is any where this runs.
    const report = /** @type {{ waiting_for: string[] }} */ (await ready.json());
    const waitingFor = report.waiting_for.filter((name) => name !== "peers");
    expect(waitingFor).toEqual(["jwks", "database"]);
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  },
  30_000,
);

test("a node does not start while a secret is empty", async () => {
  const env = {
    ...environmentOf(find("StatefulSet"), { "metadata.name": "parsec-0" }),
    ...nowhere,
  };
  await expect(promisify(execFile)(process.execPath, [node], { env })).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/PARSEC_SIGNING_SECRET must be set/),
  });
});

test("every variable is one that the program knows", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [node, "--help"]);
  const known = new Set(stdout.match(/PARSEC_\w+/g));
  const used = Object.values(environments).flatMap((environment) => Object.keys(environment));
  expect(used.filter((name) => !known.has(name) && !/^POD_(NAME|IP)$/.test(name))).toEqual([]);
});

test("both workloads run the same pods, told apart by their addresses only", () => {
  const [statefulSet, deployment] = workloads.map((workload) => {
    const { env, ...container } = containerOf(workload);
    return {
      ...workload.spec.template,
      spec: { ...workload.spec.template.spec, containers: [container] },
    };
  });
  expect(deployment).toEqual(statefulSet);
});

test("every selector finds the pods, every port has the name it is called by", () => {
  for (const { spec } of workloads) {
    const { labels } = spec.template.metadata;
    const selectors = [
      spec.selector.matchLabels,
      spec.template.spec.topologySpreadConstraints[0].labelSelector.matchLabels,
      find("PodDisruptionBudget").spec.selector.matchLabels,
      find("NetworkPolicy").spec.podSelector.matchLabels,
      find("NetworkPolicy").spec.ingress[0].from[0].podSelector.matchLabels,
      ...services.map((service) => service.spec.selector),
    ];
    for (const selector of selectors) expect(labels).toMatchObject(selector);
    const { ports, livenessProbe, readinessProbe } = spec.template.spec.containers[0];
    expect(ports).toEqual([{ name: "http", containerPort: 8080 }]);
    for (const probe of [livenessProbe, readinessProbe]) expect(probe.httpGet.port).toBe("http");
  }
  for (const { spec } of services) expect(spec.ports[0].targetPort).toBe("http");
  expect(find("NetworkPolicy").spec.ingress[0].ports[0].port).toBe("http");
});

test("the peers of the stateful set are its pods behind the headless service", () => {
  const { replicas, serviceName } = find("StatefulSet").spec;
  expect(find("Service", serviceName).spec.clusterIP).toBe("None");
  const nodes = Array.from({ length: replicas }, (_, index) =>
    environmentOf(find("StatefulSet"), { "metadata.name": `parsec-${index}` }),
  );
  const urls = nodes.map((environment) => environment.PARSEC_SELF_URL);
  for (const { PARSEC_PEER_URLS } of nodes) expect(PARSEC_PEER_URLS?.split(",")).toEqual(urls);
});

test("the pods of the deployment call themselves by address and look up the headless service", () => {
  const environment = environmentOf(find("Deployment"), { "status.podIP": "10.1.2.3" });
  expect(environment.PARSEC_SELF_URL).toBe("http://10.1.2.3:8080");
  const { spec } = find("Service", environment.PARSEC_PEER_DNS);
  // Pods that are not ready answer their peers and have to hear of invalidations: see ADR 0012.
  expect(spec).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
  // Addresses come without a port, so it has to be that of the pods.
  expect(containerOf(find("Deployment")).ports).toContainEqual(
    expect.objectContaining({
      containerPort: Number(new URL(environment.PARSEC_SELF_URL ?? "").port),
    }),
  );
  expect(environment.PARSEC_PEER_URLS).toBeUndefined();
});

test("the peers of the Compose file are its services", () => {
  const nodes = Object.keys(compose.services).filter((name) => name !== "postgres");
  expect(nodes).toEqual(["parsec-1", "parsec-2", "parsec-3"]);
  const urls = nodes.map((name) => `http://${name}:8080`);
  for (const [index, name] of nodes.entries()) {
    const { environment, ports } = compose.services[name];
    expect(environment.PARSEC_SELF_URL).toBe(urls[index]);
    expect(environment.PARSEC_PEER_URLS).toBe(urls.join(","));
    expect(ports).toEqual([`127.0.0.1:808${index + 1}:8080`]);
  }
});

test("there is time for the drain, and for the margin that the program allows itself", () => {
  const marginSeconds = 3;
  const drainSeconds = Number(find("ConfigMap").data.PARSEC_DRAIN_MS) / 1000;
  for (const { spec } of workloads) {
    const [container] = spec.template.spec.containers;
    const pauseSeconds = Number(container.lifecycle.preStop.exec.command[1]);
    const wantedSeconds = pauseSeconds + drainSeconds + marginSeconds;
    expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(wantedSeconds);
  }
  for (const name of ["parsec-1", "parsec-2", "parsec-3"]) {
    const graceSeconds = Number.parseInt(compose.services[name].stop_grace_period, 10);
    expect(graceSeconds).toBeGreaterThan(drainSeconds + marginSeconds);
  }
});
