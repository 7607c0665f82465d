import Koa from "koa";
import bodyParser from "koa-bodyparser";
import { listen, tryMount } from "./mounted.mjs";

function createApp() {
  const app = new Koa();
  app.use(bodyParser());
  app.use((context) => {
    context.body = context.request.body;
  });
  return app;
}

await tryMount("Koa, in front", (peers, port) => {
  const listener = createApp().callback();
  return listen(
    (request, response) => peers.handler(request, response, () => listener(request, response)),
    port,
  );
});

await tryMount("Koa, as middleware", (peers, port) => {
  const app = new Koa();
  app.use(async (context, next) => {
    if (!context.path.startsWith("/_groupcache/")) return await next();
    context.respond = false;
    peers.handler(context.req, context.res);
  });
  app.use(bodyParser());
  app.use((context) => {
    context.body = context.request.body;
  });
  return listen(app.callback(), port);
});
