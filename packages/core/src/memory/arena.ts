/*
 * A slab allocator for small records outside the JavaScript heap, which allocates and frees without garbage.
 *
 * A cache that keeps values as heap objects grows to two or three times its budget under churn, because
 * the old generation is collected late. Here a page of 64 KiB is divided into blocks of one size class. A
 * freed block is reused at once, and a page without live blocks can serve another size class. Records above
 * 8 KiB get a buffer of their own.
 */

/** Block addresses count units of 16 bytes, so that a 31-bit reference covers 32 GiB. */
const unitBytes = 16;
const pageBytes = 64 * 1024;
const unitsPerPage = pageBytes / unitBytes;
const pageShift = Math.log2(unitsPerPage);
const unitMask = unitsPerPage - 1;
const largestBlockBytes = 8 * 1024;
/** Overhead of a buffer of its own: the view, the backing store and their bookkeeping. */
const ownBufferOverheadBytes = 384;

/** Steps of 16 bytes up to 256, then eight steps per doubling: rounding wastes at most 1/8. */
const blockSizes: readonly number[] = makeBlockSizes();
const classOfUnits: Uint8Array = mapUnitsToClass();

function makeBlockSizes(): number[] {
  const sizes: number[] = [];
  for (let size = unitBytes; size <= 256; size += unitBytes) sizes.push(size);
  for (let base = 256; base < largestBlockBytes; base *= 2) {
    for (let step = 1; step <= 8; step++) {
      sizes.push(Math.ceil((base + (base * step) / 8) / unitBytes) * unitBytes);
    }
  }
  return sizes;
}

function mapUnitsToClass(): Uint8Array {
  const table = new Uint8Array(largestBlockBytes / unitBytes + 1);
  let sizeClass = 0;
  for (let units = 0; units < table.length; units++) {
    while ((blockSizes[sizeClass] as number) < units * unitBytes) sizeClass++;
    table[units] = sizeClass;
  }
  return table;
}

/** Bytes of memory that a record of `bytes` occupies in an arena. */
export function arenaFootprint(bytes: number): number {
  if (bytes > largestBlockBytes) return bytes + ownBufferOverheadBytes;
  return blockSizes[classOfUnits[Math.ceil(bytes / unitBytes)] as number] as number;
}

class Page {
  readonly bytes: Buffer = Buffer.allocUnsafeSlow(pageBytes);
  readonly index: number;
  sizeClass = 0;
  live = 0;
  /** Unit of the first freed block, -1 for none; a freed block holds the unit of the next in its first bytes. */
  freeUnit = -1;
  /** First unit that was never allocated since the page got its size class. */
  freshUnit = 0;
  previous: Page | undefined = undefined;
  next: Page | undefined = undefined;
  inPartialList = false;

  constructor(index: number) {
    this.index = index;
  }
}

/** Allocates blocks for records and identifies them by integer references. */
export class Arena {
  readonly #pages: Page[] = [];
  readonly #emptyPages: Page[] = [];
  /** For each size class, the pages with a free block. */
  readonly #partial: (Page | undefined)[] = blockSizes.map(() => undefined);
  readonly #own: (Buffer | undefined)[] = [];
  readonly #freeOwn: number[] = [];

  /** Allocates memory for a record. The reference is valid until it is freed. */
  allocate(bytes: number): number {
    if (bytes > largestBlockBytes) return this.#allocateOwn(bytes);
    const sizeClass = classOfUnits[Math.ceil(bytes / unitBytes)] as number;
    const page = this.#partial[sizeClass] ?? this.#openPage(sizeClass);
    const unit = page.freeUnit >= 0 ? page.freeUnit : page.freshUnit;
    const units = (blockSizes[sizeClass] as number) / unitBytes;
    if (page.freeUnit >= 0) page.freeUnit = page.bytes.readInt32LE(unit * unitBytes);
    else page.freshUnit += units;
    page.live++;
    if (page.freeUnit < 0 && page.freshUnit + units > unitsPerPage) this.#unlist(page);
    return (page.index << pageShift) | unit;
  }

  /** Frees a record. Views of it must not be used any more. */
  free(reference: number): void {
    if (reference < 0) {
      this.#own[-reference - 1] = undefined;
      this.#freeOwn.push(-reference - 1);
      return;
    }
    const page = this.#pages[reference >> pageShift] as Page;
    const unit = reference & unitMask;
    page.bytes.writeInt32LE(page.freeUnit, unit * unitBytes);
    page.freeUnit = unit;
    page.live--;
    if (page.live === 0) {
      this.#unlist(page);
      this.#emptyPages.push(page);
    } else if (!page.inPartialList) {
      this.#list(page);
    }
  }

  /** The buffer that holds the record, which starts at {@link offset}. */
  buffer(reference: number): Buffer {
    if (reference < 0) return this.#own[-reference - 1] as Buffer;
    return (this.#pages[reference >> pageShift] as Page).bytes;
  }

  offset(reference: number): number {
    return reference < 0 ? 0 : (reference & unitMask) * unitBytes;
  }

  #allocateOwn(bytes: number): number {
    const index = this.#freeOwn.pop() ?? this.#own.length;
    this.#own[index] = Buffer.allocUnsafeSlow(bytes);
    return -index - 1;
  }

  #openPage(sizeClass: number): Page {
    let page = this.#emptyPages.pop();
    if (page === undefined) {
      page = new Page(this.#pages.length);
      this.#pages.push(page);
    }
    page.sizeClass = sizeClass;
    page.freeUnit = -1;
    page.freshUnit = 0;
    this.#list(page);
    return page;
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
