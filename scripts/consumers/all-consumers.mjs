import { esbuild, esbuildModule, sizeOfCore } from "./bundlers/esbuild.mjs";
import { rollup, rollupModule } from "./bundlers/rollup.mjs";
import { vite } from "./bundlers/vite.mjs";
import { webpack } from "./bundlers/webpack.mjs";
import { typescript, typescriptQuick } from "./compilers/typescript.mjs";
import { express, fastify, hono, koa, nestjs } from "./frameworks/frameworks.mjs";
import { npm } from "./package-managers/npm.mjs";
import { pnpm } from "./package-managers/pnpm.mjs";
import { yarnPnp } from "./package-managers/yarn-pnp.mjs";
import { bun } from "./runtimes/bun.mjs";
import { commonJs } from "./runtimes/commonjs.mjs";
import { deno } from "./runtimes/deno.mjs";
import { jest } from "./test-runners/jest.mjs";
import { vitest } from "./test-runners/vitest.mjs";

/** @type {readonly import("./consumer.mjs").Consumer[]} */
export const allConsumers = [
  commonJs,
  typescriptQuick,
  esbuildModule,
  sizeOfCore,
  rollupModule,
  npm,
  pnpm,
  yarnPnp,
  typescript,
  esbuild,
  rollup,
  vite,
  webpack,
  jest,
  vitest,
  bun,
  deno,
  express,
  fastify,
  hono,
  koa,
  nestjs,
];
