const shared = ["cluster.mjs", "free-ports.mjs", "mounted.mjs"];

/**
 * @param {string} name of the consumer and of its program
 * @param {Readonly<Record<string, string>>} dependencies
 * @returns {import("../consumer.mjs").Consumer}
 */
function framework(name, dependencies) {
  const program = `${name}.mjs`;
  return {
    name,
    dependencies,
    programs: [...shared, program],
    run: async ({ exec }) => {
      await exec(process.execPath, [program]);
    },
  };
}

export const express = framework("express", { express: "5.3.0" });

export const fastify = framework("fastify", { fastify: "5.12.8" });

export const hono = framework("hono", { hono: "4.13.19", "@hono/node-server": "2.1.9" });

export const koa = framework("koa", { koa: "3.3.0", "koa-bodyparser": "4.4.1" });

export const nestjs = framework("nestjs", {
  "@nestjs/common": "12.5.1",
  "@nestjs/core": "12.5.1",
  "@nestjs/platform-express": "12.5.1",
  "@nestjs/platform-fastify": "12.5.0",
  "reflect-metadata": "0.2.2",
  rxjs: "7.8.2",
});
