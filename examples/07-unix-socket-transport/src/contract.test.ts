import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describePeerContract } from "@parsec/testkit";
import { createUnixPeers } from "./unix-peers.ts";

const limits = { maxKeyBytes: 2000, maxValueBytes: 2_000_000 };

describePeerContract({
  name: "Unix sockets",
  limits,
  async setup() {
    const folder = await mkdtemp(join(tmpdir(), "parsec-"));
    const peerUrls = [1, 2, 3].map((number) => `unix:${folder}/${number}.sock`);
    const pickers = peerUrls.map((selfUrl) => createUnixPeers({ selfUrl, peerUrls, limits }));
    await Promise.all(pickers.map((picker) => picker.listen()));
    return {
      nodes: pickers.map((picker) => ({ picker })),
      async close() {
        await Promise.all(pickers.map((picker) => picker.close()));
        await rm(folder, { recursive: true });
      },
    };
  },
});
