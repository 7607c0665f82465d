import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { kubernetesProblems } from "./kubernetes.mjs";

const file = "deploy/kubernetes/workload/stateful-set.yaml";
const manifest = await readFile(new URL(`../../${file}`, import.meta.url), "utf8");

/** @param {string} yaml */
const problemsOf = (yaml) => kubernetesProblems(new Map([["folder/x.yaml", yaml]]));

/** Line of a text in the manifest. @param {string} text */
const lineOf = (text) => manifest.slice(0, manifest.indexOf(text)).split("\n").length;

test("our own manifest is fine", () => {
  expect(problemsOf(manifest)).toEqual([]);
});

test.each([
  ["a key", "livenessProbe:", "livenesProbe:", /'"livenesProbe"' does not exist in type/],
  ["a value", "ScheduleAnyway", "ScheduleAnyways", /Did you mean '"ScheduleAnyway"'/],
  ["a type", "replicas: 3", "replicas: three", /'string' is not assignable to type 'number'/],
  ["the version", "apps/v1", "apps/v11", /Cannot find module 'kubernetes-models\/apps\/v11/],
])("a typo in %s is named with its line", (_what, right, wrong, message) => {
  const problems = problemsOf(manifest.replace(right, wrong));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(message);
  expect(problems[0]).toMatch(new RegExp(`^folder/x\\.yaml:${lineOf(right)}: `));
});

test("what is missing is named", () => {
  expect(problemsOf("apiVersion: apps/v1\nkind: Deployment\nspec: {}\n")).toEqual([
    expect.stringMatching(/^folder\/x\.yaml:3: .* missing .* "selector", "template"$/),
  ]);
});

test("each document of a file is checked, and lines go on counting", () => {
  const service = "apiVersion: v1\nkind: Service\nspec:\n  ports: [{ port: 80 }]\n";
  const [problem, ...others] = problemsOf(`${service}---\n${service.replace("ports", "prots")}`);
  expect(problem).toMatch(/^folder\/x\.yaml:9: .*prots/);
  expect(others).toEqual([]);
});

test("broken YAML and aliases are problems, not crashes", () => {
  const broken = problemsOf("apiVersion: v1\nkind: Service\nspec: {\n");
  expect(broken[0]).toMatch(/^folder\/x\.yaml: /);
  const aliased = problemsOf("apiVersion: v1\nkind: Service\nmetadata: &a {}\nspec: *a\n");
  expect(aliased).toEqual(["folder/x.yaml: *a is an alias; write it out"]);
  expect(problemsOf("---\n")[0]).toMatch(/Cannot find module/);
});
