import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { listen, tryMount } from "./mounted.mjs";

await tryMount("Hono", (peers, port) => {
  const app = new Hono();
  app.post("/echo", async (context) => context.json(await context.req.json()));
  const listener = getRequestListener(app.fetch);
  return listen(
    (request, response) => peers.handler(request, response, () => listener(request, response)),
    port,
  );
});
