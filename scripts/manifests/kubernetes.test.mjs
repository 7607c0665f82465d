import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { kubernetesProblems } from "./kubernetes.mjs";

const file = new URL("../../deploy/kubernetes/workload/stateful-set.yaml", import.meta.url);
const manifest = await readFile(file, "utf8");
const service = "apiVersion: v1\nkind: Service\nspec:\n  ports: [{ port: 80 }]\n";

/** Line of a text in the manifest. @param {string} text */
const lineOf = (text) => manifest.slice(0, manifest.indexOf(text)).split("\n").length;

/** @type {Record<string, readonly [yaml: string, line: number, problem: RegExp]>} */
const wrong = {
  "a misspelt key": [
    manifest.replace("livenessProbe:", "livenesProbe:"),
    lineOf("livenessProbe:"),
    /'"livenesProbe"' does not exist in type/,
  ],
  "a misspelt value": [
    manifest.replace("ScheduleAnyway", "ScheduleAnyways"),
    lineOf("ScheduleAnyway"),
    /Did you mean '"ScheduleAnyway"'/,
  ],
  "a wrong type": [
    manifest.replace("replicas: 3", "replicas: three"),
    lineOf("replicas: 3"),
    /'string' is not assignable to type 'number'/,
  ],
  "an unknown version": [
    manifest.replace("apps/v1", "apps/v11"),
    1,
    /Cannot find module 'kubernetes-models\/apps\/v11\/StatefulSet'/,
  ],
  "missing keys": [
    "apiVersion: apps/v1\nkind: Deployment\nspec: {}\n",
    3,
    /missing .* "selector", "template"$/,
  ],
  "a fault in the second document": [
    `${service}---\n${service.replace("ports", "prots")}`,
    9,
    /"prots"/,
  ],
  "an empty document": ["---\n", 1, /Cannot find module/],
};

describe("names the line and the fault:", () => {
  // One call for all: most of the time goes into reading the types.
  const files = Object.entries(wrong).map(([name, [yaml]]) => /** @type {const} */ ([name, yaml]));
  const problems = kubernetesProblems(new Map([["our own", manifest], ...files]));

  test.each(Object.entries(wrong))("%s", (name, [, line, problem]) => {
    const [found, ...others] = problems.filter((text) => text.startsWith(`${name}:`));
    expect(found).toMatch(problem);
    expect(found).toMatch(new RegExp(`^${name}:${line}: `));
    expect(others).toEqual([]);
  });

  test("nothing, in our own manifest", () => {
    expect(problems.filter((text) => text.startsWith("our own"))).toEqual([]);
  });
});

test("broken YAML and aliases are problems, not crashes", { timeout: 60_000 }, () => {
  const problems = kubernetesProblems(
    new Map([
      ["broken", "apiVersion: v1\nkind: Service\nspec: {\n"],
      ["aliased", "apiVersion: v1\nkind: Service\nmetadata: &a {}\nspec: *a\n"],
    ]),
  );
  expect(problems).toContainEqual(expect.stringMatching(/^broken: .*flow/i));
  expect(problems).toContain("aliased: *a is an alias; write it out");
});
