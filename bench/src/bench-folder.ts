/** The folder of the bench, seen from its sources as from the bundle in `dist`. Other paths start here. */
export const benchFolder: URL = new URL("../", import.meta.url);
