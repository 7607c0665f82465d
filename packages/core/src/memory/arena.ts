/*
 * A slab allocator for blocks outside the JavaScript heap, which allocates and frees without garbage.
 *
 * A cache that keeps values as heap objects grows to two or three times its budget under churn, because
 * the old generation is collected late. Here a page is divided into blocks of one size class. A freed block
 * is reused at once, and a page without live blocks can serve another size class. When sizes drift, pages
 * of the old size keep a few live blocks each: `compact` moves them together, so that pages become free.
 *
 * The first four bytes of a block name its owner, a number that is not negative. In a free block they hold
 * the next free block of the page.
 */

/** Blocks begin at multiples of this. References count in this unit, so that 31 bits cover 32 GiB. */
const unitBytes = 16;
/** The first bytes of a block, which name its owner. */
export const blockHeaderBytes = 4;
/** The JavaScript objects of a page: its buffer with the backing store, and {@link Page}. */
const pageObjectBytes = 512;
const largestPageBytes = 64 * 1024;
const smallestPageBytes = 4 * 1024;
/**
 * Pages are allocated this many bytes at a time, unless they are the smallest ones. glibc maps such a buffer on its
 * own; among the buffers that callers leave to the garbage collector, pages would keep their memory from being returned.
 */
const segmentBytes = 256 * 1024;
/** The largest block is this part of a page. */
const blocksOfLargest = 8;
/** Pages that `compact` looks at to find the sparsest one. */
const pagesToCompare = 256;

/** A page is a small part of the budget, because each size class may have one that is partly filled. */
export function pageBytesFor(maxBytes: number): number {
  const wanted = 2 ** Math.round(Math.log2(Math.max(1, maxBytes / 768)));
  return Math.max(smallestPageBytes, Math.min(largestPageBytes, wanted));
}

/**
 * Steps of 16 bytes up to 256, then eight steps per doubling: rounding wastes at most 1/8. Sizes above 256
 * are raised until the blocks fill their page.
 */
function blockSizesOf(pageBytes: number): number[] {
  const largest = pageBytes / blocksOfLargest;
  const sizes: number[] = [];
  for (let size = unitBytes; size <= Math.min(256, largest); size += unitBytes) sizes.push(size);
  for (let base = 256; base < largest; base *= 2) {
    for (let step = 1; step <= 8; step++) {
      const blocks = Math.floor(pageBytes / (base + (base * step) / 8));
      sizes.push(Math.floor(pageBytes / blocks / unitBytes) * unitBytes);
    }
  }
  return sizes;
}

/** Pages whose memory was allocated at once, and can only be released at once. */
interface Segment {
  readonly pages: Page[];
  /** Pages with a size class. */
  used: number;
}

class Page {
  readonly bytes: Buffer;
  readonly index: number;
  readonly segment: Segment;
  sizeClass = 0;
  live = 0;
  /** Unit of the first freed block, -1 for none. */
  freeUnit = -1;
  /** First unit that was never allocated since the page got its size class. */
  freshUnit = 0;
  previous: Page | undefined = undefined;
  next: Page | undefined = undefined;
  inPartialList = false;

  constructor(index: number, parts: { readonly bytes: Buffer; readonly segment: Segment }) {
    this.index = index;
    this.bytes = parts.bytes;
    this.segment = parts.segment;
  }
}

/** Called when a block has moved. */
export type OnMove = (owner: number, from: number, to: number) => void;

/** Allocates blocks and identifies them by integer references, which are not negative. */
export class Arena {
  /** The most bytes that one block holds beside its header. */
  readonly largestPayload: number;
  /** Memory by which the arena grows at a time. */
  readonly growthBytes: number;
  readonly #pagesPerSegment: number;
  readonly #pageBytes: number;
  readonly #pageShift: number;
  readonly #unitMask: number;
  readonly #sizes: readonly number[];
  readonly #classOfUnits: Uint8Array;
  readonly #onMove: OnMove;
  /** Holes are pages that were released. */
  #pages: (Page | undefined)[] = [];
  #holes: number[] = [];
  #emptyPages: Page[] = [];
  /** For each size class, the pages with a free block. */
  readonly #partial: (Page | undefined)[];
  /** For each size class, the number of free blocks in its pages. */
  readonly #freeBlocks: number[];
  #compared = 0;

  constructor(pageBytes: number, onMove: OnMove) {
    this.#pageBytes = pageBytes;
    this.#onMove = onMove;
    this.#pagesPerSegment = pageBytes > smallestPageBytes ? segmentBytes / pageBytes : 1;
    this.growthBytes = this.#pagesPerSegment * (pageBytes + pageObjectBytes);
    this.#pageShift = Math.log2(pageBytes / unitBytes);
    this.#unitMask = pageBytes / unitBytes - 1;
    this.#sizes = blockSizesOf(pageBytes);
    const largest = this.#sizes[this.#sizes.length - 1] as number;
    this.largestPayload = largest - blockHeaderBytes;
    this.#classOfUnits = new Uint8Array(largest / unitBytes + 1);
    let sizeClass = 0;
    for (let units = 0; units < this.#classOfUnits.length; units++) {
      while ((this.#sizes[sizeClass] as number) < units * unitBytes) sizeClass++;
      this.#classOfUnits[units] = sizeClass;
    }
    this.#partial = this.#sizes.map(() => undefined);
    this.#freeBlocks = this.#sizes.map(() => 0);
  }

  /** Memory of all pages. */
  get bytes(): number {
    return (this.#pages.length - this.#holes.length) * (this.#pageBytes + pageObjectBytes);
  }

  /** Bytes of the block for a payload of at most `largestPayload`. */
  blockBytes(payload: number): number {
    return this.#sizes[this.#classOf(payload)] as number;
  }

  /** Whether a block for this payload needs no new page. */
  hasRoom(payload: number): boolean {
    return this.#partial[this.#classOf(payload)] !== undefined || this.#emptyPages.length > 0;
  }

  /** Allocates a block for at most `largestPayload` bytes. The reference is valid until the block is freed or moved. */
  allocate(payload: number, owner: number): number {
    const sizeClass = this.#classOf(payload);
    const page = this.#partial[sizeClass] ?? this.#openPage(sizeClass);
    const unit = page.freeUnit >= 0 ? page.freeUnit : page.freshUnit;
    const units = (this.#sizes[sizeClass] as number) / unitBytes;
    if (page.freeUnit >= 0) page.freeUnit = -2 - page.bytes.readInt32LE(unit * unitBytes);
    else page.freshUnit += units;
    page.bytes.writeInt32LE(owner, unit * unitBytes);
    page.live++;
    (this.#freeBlocks[sizeClass] as number)--;
    if (page.freeUnit < 0 && page.freshUnit + units > this.#unitMask + 1) this.#unlist(page);
    return (page.index << this.#pageShift) | unit;
  }

  free(reference: number): void {
    const page = this.#pages[reference >> this.#pageShift] as Page;
    const unit = reference & this.#unitMask;
    // -1 for "none" becomes -1, unit 0 becomes -2, and so on: negative, unlike an owner.
    page.bytes.writeInt32LE(-2 - page.freeUnit, unit * unitBytes);
    page.freeUnit = unit;
    page.live--;
    (this.#freeBlocks[page.sizeClass] as number)++;
    if (page.live === 0) this.#emptied(page);
    else if (!page.inPartialList) this.#list(page);
  }

  /** The memory of the block's page. */
  buffer(reference: number): Buffer {
    return (this.#pages[reference >> this.#pageShift] as Page).bytes;
  }

  /** Where the payload begins in {@link buffer}. */
  offset(reference: number): number {
    return (reference & this.#unitMask) * unitBytes + blockHeaderBytes;
  }

  /**
   * Moves the live blocks of a sparse page into other pages of its size class, so that the page is empty.
   * Returns false when none of the pages compared is at most three quarters full.
   */
  compact(): boolean {
    let sparsest: Page | undefined;
    let fewestBytes = (this.#pageBytes * 3) / 4;
    const count = Math.min(pagesToCompare, this.#pages.length);
    for (let compared = 0; compared < count; compared++) {
      this.#compared = (this.#compared + 1) % this.#pages.length;
      const page = this.#pages[this.#compared];
      if (page === undefined || page.live === 0) continue;
      const bytes = page.live * (this.#sizes[page.sizeClass] as number);
      if (bytes > fewestBytes) continue;
      const freeElsewhere =
        (this.#freeBlocks[page.sizeClass] as number) - (this.#blocksOf(page.sizeClass) - page.live);
      if (freeElsewhere < page.live) continue;
      fewestBytes = bytes;
      sparsest = page;
    }
    if (sparsest === undefined) return false;
    this.#empty(sparsest);
    return true;
  }

  /** Gives memory of empty pages back. Returns false when there is none to give. */
  releasePages(): boolean {
    const segment = this.#emptyPages.find((page) => page.segment.used === 0)?.segment;
    if (segment === undefined) return false;
    this.#emptyPages = this.#emptyPages.filter((page) => page.segment !== segment);
    for (const { index } of segment.pages) {
      this.#pages[index] = undefined;
      this.#holes.push(index);
    }
    return true;
  }

  /** Frees all blocks, and keeps the pages for later ones. */
  clear(): void {
    this.#emptyPages = [];
    for (const page of this.#pages) {
      if (page === undefined) continue;
      page.live = 0;
      page.segment.used = 0;
      page.inPartialList = false;
      page.next = undefined;
      page.previous = undefined;
      this.#emptyPages.push(page);
    }
    this.#partial.fill(undefined);
    this.#freeBlocks.fill(0);
  }

  /** Frees all blocks and releases all pages. */
  release(): void {
    this.clear();
    this.#emptyPages = [];
    this.#pages = [];
    this.#holes = [];
  }

  #classOf(payload: number): number {
    return this.#classOfUnits[(payload + blockHeaderBytes + unitBytes - 1) >> 4] as number;
  }

  #blocksOf(sizeClass: number): number {
    return Math.floor(this.#pageBytes / (this.#sizes[sizeClass] as number));
  }

  #empty(page: Page): void {
    this.#unlist(page);
    const { bytes, sizeClass } = page;
    const size = this.#sizes[sizeClass] as number;
    for (let unit = 0; unit < page.freshUnit; unit += size / unitBytes) {
      const start = unit * unitBytes;
      const owner = bytes.readInt32LE(start);
      if (owner < 0) continue;
      const to = this.allocate(size - blockHeaderBytes, owner);
      const target = this.offset(to);
      bytes.copy(this.buffer(to), target, start + blockHeaderBytes, start + size);
      this.#onMove(owner, (page.index << this.#pageShift) | unit, to);
    }
    (this.#freeBlocks[sizeClass] as number) += page.live;
    page.live = 0;
    this.#emptied(page);
  }

  #emptied(page: Page): void {
    this.#unlist(page);
    (this.#freeBlocks[page.sizeClass] as number) -= this.#blocksOf(page.sizeClass);
    page.segment.used--;
    this.#emptyPages.push(page);
  }

  #openPage(sizeClass: number): Page {
    if (this.#emptyPages.length === 0) this.#addSegment();
    const page = this.#emptyPages.pop() as Page;
    page.segment.used++;
    page.sizeClass = sizeClass;
    page.freeUnit = -1;
    page.freshUnit = 0;
    (this.#freeBlocks[sizeClass] as number) += this.#blocksOf(sizeClass);
    this.#list(page);
    return page;
  }

  #addSegment(): void {
    const count = this.#pagesPerSegment;
    const memory = Buffer.allocUnsafeSlow(count * this.#pageBytes);
    const segment: Segment = { pages: [], used: 0 };
    for (let added = 0; added < count; added++) {
      const bytes = memory.subarray(added * this.#pageBytes, (added + 1) * this.#pageBytes);
      const page = new Page(this.#holes.pop() ?? this.#pages.length, { bytes, segment });
      this.#pages[page.index] = page;
      segment.pages.push(page);
      this.#emptyPages.push(page);
    }
  }

  #list(page: Page): void {
    const head = this.#partial[page.sizeClass];
    page.previous = undefined;
    page.next = head;
    if (head !== undefined) head.previous = page;
    this.#partial[page.sizeClass] = page;
    page.inPartialList = true;
  }

  #unlist(page: Page): void {
    if (!page.inPartialList) return;
    if (page.previous === undefined) this.#partial[page.sizeClass] = page.next;
    else page.previous.next = page.next;
    if (page.next !== undefined) page.next.previous = page.previous;
    page.previous = undefined;
    page.next = undefined;
    page.inPartialList = false;
  }
}
