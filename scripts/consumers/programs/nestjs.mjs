import "reflect-metadata";
import { Body, Controller, Module, Post } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { tryMount } from "./mounted.mjs";

// Decorators, written as the calls that they are.
class EchoController {
  echo(body) {
    return body;
  }
}
Controller()(EchoController);
const echo = Object.getOwnPropertyDescriptor(EchoController.prototype, "echo");
Post("echo")(EchoController.prototype, "echo", echo);
Body()(EchoController.prototype, "echo", 0);
class AppModule {}
Module({ controllers: [EchoController] })(AppModule);

async function start(app, { peers, port }) {
  app.use(peers.handler);
  await app.listen(port, "127.0.0.1");
  return () => app.close();
}
const options = { logger: ["error"], forceCloseConnections: true };

await tryMount("NestJS on Express", async (peers, port) =>
  start(await NestFactory.create(AppModule, options), { peers, port }),
);
await tryMount("NestJS on Fastify", async (peers, port) =>
  start(await NestFactory.create(AppModule, new FastifyAdapter(), options), { peers, port }),
);
