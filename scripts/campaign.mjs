// Runs the tests that have two lengths at their full one, a file at a time, and prints their figures.
// Takes the arguments of `pnpm test`: `pnpm campaign scenarios`.
import { campaigns } from "./test-run/campaigns.mjs";
import { parseTestArguments } from "./test-run/test-arguments.mjs";

process.env.PARSEC_CAMPAIGN = "1";
const { filters } = await parseTestArguments(process.argv.slice(2));
if (filters.length === 0) process.argv.push(...campaigns);
process.argv.push("--no-file-parallelism");
await import("./test.mjs");
