/** The transport of VICI: segments, each with a 32-bit length in network order before it (README.md of strongSwan's vici plugin). */
import { ViciError } from './errors.ts';

/** Bytes of one segment, without its length; charon closes the connection on more. */
export const MAX_SEGMENT = 512 * 1024;

const LENGTH = 4;

export function frame(segment: Uint8Array): Buffer {
  if (segment.length > MAX_SEGMENT) throw tooLarge(segment.length);
  const framed = Buffer.alloc(LENGTH + segment.length);
  framed.writeUInt32BE(segment.length);
  framed.set(segment, LENGTH);
  return framed;
}

/** Cuts what comes out of the socket, in pieces of any size, into segments. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #buffered = 0;
  /** Bytes that must be there before anything can be said. */
  #needed = LENGTH;

  /** @returns the segments that are whole now. @throws ViciError `VICI_TOO_LARGE`; the stream cannot be read on then. */
  push(piece: Buffer): Buffer[] {
    this.#pieces.push(piece);
    this.#buffered += piece.length;
    const segments: Buffer[] = [];
    // Put together only when something is whole: a large segment in a thousand pieces is copied once.
    while (this.#buffered >= this.#needed) {
      const whole = this.#join();
      const length = whole.readUInt32BE(0);
      if (length > MAX_SEGMENT) throw tooLarge(length);
      this.#needed = LENGTH + length;
      if (whole.length < this.#needed) break;
      segments.push(whole.subarray(LENGTH, this.#needed));
      this.#pieces = [whole.subarray(this.#needed)];
      this.#buffered = whole.length - this.#needed;
      this.#needed = LENGTH;
    }
    return segments;
  }

  #join(): Buffer {
    const [only] = this.#pieces;
    const whole = this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces);
    this.#pieces = [whole];
    return whole;
  }
}

function tooLarge(length: number): ViciError {
  return new ViciError(
    'VICI_TOO_LARGE',
    `a VICI segment of ${length} bytes is longer than the ${MAX_SEGMENT} that charon takes`,
  );
}
