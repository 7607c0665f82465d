import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { createDataSourceClusterRegistry } from "@parsec/core";
import { createHttpPeers } from "@parsec/transport-http";

/* The side that owns the keys. Prints its URL once it listens; ends on SIGTERM. */

const value = "x".repeat(256);
const [role = "parsec", clientUrl = "http://127.0.0.1:1"] = process.argv.slice(2);

const server = createServer();
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
server.on("request", role === "parsec" ? owner(url) : bare());
process.stdout.write(`${url}\n`);
process.once("SIGTERM", () => process.exit(0));

function owner(selfUrl: string): RequestListener {
  const peers = createHttpPeers({ selfUrl, peerUrls: [selfUrl, clientUrl] });
  createDataSourceClusterRegistry({ peers }).register<string, string>({
    name: "values",
    cacheKey: (key) => key,
    fetch: () => Promise.resolve(value),
  });
  return peers.handler;
}

/** The floor: what node:http itself takes for an answer of this size. */
function bare(): RequestListener {
  const body = Buffer.from(value);
  const headers = { "content-type": "application/octet-stream", "content-length": body.length };
  return (_request, response) => {
    response.writeHead(200, headers);
    response.end(body);
  };
}
