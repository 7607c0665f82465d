import { createGroupCache } from "@parsec/core";
import { createGrpcPeers } from "../../src/index.ts";

/* One node of a cluster. Arguments: its own address, then those of all nodes. Exits by itself after SIGTERM. */

const [selfUrl = "", ...peerUrls] = process.argv.slice(2);
const peers = createGrpcPeers({ selfUrl, peerUrls, secret: "a secret of these programs" });
const cache = createGroupCache({ peers });
cache.group("g", { load: (key) => `${key} from ${selfUrl}` });
await peers.listen();
process.once("SIGTERM", () => void cache.close());
process.stdout.write("ready\n");
