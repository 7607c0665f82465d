/** Types for the part of npm `hashring` that tests compare with; the package has none. */
declare module "hashring" {
  export default class HashRing {
    constructor(
      servers: readonly string[],
      algorithm: string,
      options: { "vnode count": number; "max cache size": number },
    );
    get(key: string): string;
  }
}
