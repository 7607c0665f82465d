import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadableEntries } from "../consumer.mjs";

/** @type {import("../consumer.mjs").Consumer} */
export const commonJs = {
  name: "require",
  quick: true,
  async run(place) {
    const lines = loadableEntries(place).map(
      (entry) =>
        `if (Object.keys(require("${entry}")).length === 0) throw new Error("${entry} is empty");`,
    );
    await writeFile(join(place.folder, "require-all.cjs"), lines.join("\n"));
    await place.exec(process.execPath, ["require-all.cjs"]);
  },
};
