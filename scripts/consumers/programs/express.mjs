import express from "express";
import { listen, tryMount } from "./mounted.mjs";

await tryMount("Express", (peers, port) => {
  const app = express();
  app.use(peers.handler);
  app.use(express.json());
  app.post("/echo", (request, response) => response.json(request.body));
  return listen(app, port);
});
