// Compares what lies in deploy/ with the schemas of Kubernetes, Compose and Docker, without any of them.
import { readdir, readFile } from "node:fs/promises";
import { composeProblems } from "./manifests/compose.mjs";
import { dockerfileProblems } from "./manifests/dockerfile.mjs";
import { kubernetesProblems } from "./manifests/kubernetes.mjs";

process.chdir(new URL("..", import.meta.url).pathname);
const folder = "deploy/kubernetes";
const names = await readdir(folder, { recursive: true });
const paths = names.filter((name) => name.endsWith(".yaml")).map((name) => `${folder}/${name}`);
const manifests = await Promise.all(
  paths.map(async (path) => /** @type {const} */ ([path, await readFile(path, "utf8")])),
);
const problems = kubernetesProblems(new Map(manifests));
for (const path of ["deploy/docker-compose.yml", "deploy/cache-node/compose.yml"]) {
  problems.push(...composeProblems(path, await readFile(path, "utf8")));
}
for (const path of ["deploy/Dockerfile", "deploy/cache-node/Dockerfile"]) {
  problems.push(...dockerfileProblems(path, await readFile(path, "utf8")));
}
for (const problem of problems) console.log(problem);
if (problems.length > 0) process.exitCode = 1;
