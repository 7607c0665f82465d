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
const compose = "deploy/docker-compose.yml";
const dockerfile = "deploy/Dockerfile";
const problems = [
  ...kubernetesProblems(new Map(manifests)),
  ...composeProblems(compose, await readFile(compose, "utf8")),
  ...dockerfileProblems(dockerfile, await readFile(dockerfile, "utf8")),
];
for (const problem of problems) console.log(problem);
if (problems.length > 0) process.exitCode = 1;
