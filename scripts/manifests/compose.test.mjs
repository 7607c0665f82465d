import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { composeProblems } from "./compose.mjs";

const file = await readFile(new URL("../../deploy/docker-compose.yml", import.meta.url), "utf8");

/** @param {string} right @param {string} wrong */
const problemsWith = (right, wrong) => {
  expect(file).toContain(right);
  return composeProblems("compose.yml", file.replace(right, wrong));
};

test("our own files have no problems", () => {
  expect(composeProblems("compose.yml", file)).toEqual([]);
});

test("a typo in a service is named with the line where the service begins", () => {
  const image = "image: postgres:17-alpine";
  const line = file.slice(0, file.indexOf(image)).split("\n").length;
  expect(problemsWith(image, `${image}\n    restrat: always`)).toEqual([
    `compose.yml:${line}: /services/postgres must NOT have additional properties restrat`,
  ]);
});

test("a typo in what services share is found where it is merged", () => {
  expect(problemsWith("stop_grace_period", "stop_grace_perod")[0]).toMatch(
    /\/services\/parsec-1 .* stop_grace_perod$/,
  );
});

test("a wrong value and broken YAML are named", () => {
  expect(problemsWith("condition: service_healthy", "condition: healthy")[0]).toMatch(/depends_on/);
  expect(composeProblems("compose.yml", "services: {\n")[0]).toMatch(/^compose\.yml: /);
});
