import http from "node:http";
import Fastify from "fastify";
import { tryMount } from "./mounted.mjs";

async function start(app, port) {
  app.post("/echo", async (request) => request.body);
  await app.listen({ port, host: "127.0.0.1" });
  return () => app.close();
}

await tryMount("Fastify, in front", (peers, port) => {
  const serverFactory = (listener) =>
    http.createServer((request, response) =>
      peers.handler(request, response, () => listener(request, response)),
    );
  return start(Fastify({ serverFactory, forceCloseConnections: true }), port);
});

await tryMount("Fastify, as a route", async (peers, port) => {
  const app = Fastify({ forceCloseConnections: true });
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
    scope.all("/_groupcache/*", (request, reply) => {
      reply.hijack();
      peers.handler(request.raw, reply.raw);
    });
  });
  return start(app, port);
});
