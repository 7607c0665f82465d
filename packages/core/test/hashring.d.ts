/** The part of npm `hashring` that the ring is compared with; the package has no types of its own. */
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
