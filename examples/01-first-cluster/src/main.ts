import { runFirstCluster } from "./first-cluster.ts";

await runFirstCluster(console.log);
