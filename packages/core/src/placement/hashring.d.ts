/** The part of npm `hashring` that placement uses; the package brings no types. */
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
