/** Reads what `tcpdump -w -` writes: pcap, as pcap-savefile(5) describes it. */

/** One frame as it was on the wire, cut at the capture length. */
export interface Frame {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly bytes: Buffer;
  /** Length on the wire. */
  readonly length: number;
}

const FILE_HEADER = 24;
const FRAME_HEADER = 16;
const ETHERNET = 1;
/** Magic number, and how many of its fractions make a millisecond. */
const MAGICS: ReadonlyMap<number, number> = new Map([
  [0xa1b2c3d4, 1000],
  [0xa1b23c4d, 1_000_000],
]);

export class PcapReader {
  readonly #onFrame: (frame: Frame) => void;
  #rest: Buffer = Buffer.alloc(0);
  #read: ((bytes: Buffer, offset: number) => number) | undefined;
  #fraction = 1000;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** Takes the next bytes of the file, however they were cut. Throws when it is no capture of Ethernet frames. */
  push(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.#read === undefined) {
      if (bytes.length < FILE_HEADER) {
        this.#rest = bytes;
        return;
      }
      this.#read = this.#header(bytes);
      bytes = bytes.subarray(FILE_HEADER);
    }
    this.#rest = this.#frames(bytes, this.#read);
  }

  #header(bytes: Buffer): (bytes: Buffer, offset: number) => number {
    for (const read of [little, big]) {
      const fraction = MAGICS.get(read(bytes, 0));
      if (fraction === undefined) continue;
      if ((read(bytes, 20) & 0xffff) !== ETHERNET)
        throw new Error('the capture is not one of Ethernet frames');
      this.#fraction = fraction;
      return read;
    }
    throw new Error('the capture is not in pcap format');
  }

  /** Hands out the whole frames and returns what is left. */
  #frames(bytes: Buffer, read: (bytes: Buffer, offset: number) => number): Buffer {
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER) {
      const captured = read(bytes, at + 8);
      const end = at + FRAME_HEADER + captured;
      if (end > bytes.length) break;
      this.#onFrame({
        at: read(bytes, at) * 1000 + read(bytes, at + 4) / this.#fraction,
        bytes: bytes.subarray(at + FRAME_HEADER, end),
        length: read(bytes, at + 12),
      });
      at = end;
    }
    return bytes.subarray(at);
  }
}

function little(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset);
}

function big(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset);
}
