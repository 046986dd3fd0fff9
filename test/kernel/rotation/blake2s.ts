/** BLAKE2s with a key and a length (RFC 7693), which OpenSSL has and Node does not hand on. For messages of less than 4 GiB. */

const IV = Uint32Array.of(
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
  ...[0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
);
/** RFC 7693, 2.7. */
const SIGMA = [
  '0123456789abcdef',
  'ea489fd61c02b753',
  'b8c052fdae367194',
  '7931dcbe265a40f8',
  '905724afe1bc683d',
  '2c6a0b834d75fe19',
  'c51fed4a0763928b',
  'db7ec13950f4862a',
  '6fe9b308c2d714a5',
  'a2847615fb9e3cd0',
].map((line) => [...line].map((digit) => Number.parseInt(digit, 16)));
/** Columns, then diagonals. */
const QUARTERS = [
  ...[[0, 4, 8, 12] as const, [1, 5, 9, 13] as const, [2, 6, 10, 14] as const, [3, 7, 11, 15] as const],
  ...[[0, 5, 10, 15] as const, [1, 6, 11, 12] as const, [2, 7, 8, 13] as const, [3, 4, 9, 14] as const],
];
const BLOCK = 64;

export interface Blake2sOptions {
  /** Bytes; none: a plain hash. */
  readonly key?: Uint8Array;
  /** Bytes, 1 to 32. */
  readonly length: number;
}

export function blake2s(message: Uint8Array, { key = new Uint8Array(), length }: Blake2sOptions): Buffer {
  const state = Uint32Array.from(IV);
  state[0] = word(state, 0) ^ 0x0101_0000 ^ (key.length << 8) ^ length;
  const keyed = key.length === 0 ? [] : [Buffer.concat([key], BLOCK)];
  const whole = Buffer.concat([...keyed, message]);
  const blocks = Math.max(1, Math.ceil(whole.length / BLOCK));
  for (let at = 0; at < blocks; at += 1) {
    const block = Buffer.concat([whole.subarray(at * BLOCK, (at + 1) * BLOCK)], BLOCK);
    const last = at === blocks - 1;
    compress(state, block, { counted: last ? whole.length : (at + 1) * BLOCK, last });
  }
  const digest = Buffer.alloc(32);
  for (const [at, value] of state.entries()) digest.writeUInt32LE(value, at * 4);
  return digest.subarray(0, length);
}

function compress(
  state: Uint32Array,
  block: Buffer,
  { counted, last }: { readonly counted: number; readonly last: boolean },
): void {
  const v = Uint32Array.of(...state, ...IV);
  v[12] = word(v, 12) ^ counted;
  if (last) v[14] = ~word(v, 14);
  for (const order of SIGMA) {
    for (const [at, quarter] of QUARTERS.entries()) {
      mix(v, quarter, [
        block.readUInt32LE((order[at * 2] ?? 0) * 4),
        block.readUInt32LE((order[at * 2 + 1] ?? 0) * 4),
      ]);
    }
  }
  for (let at = 0; at < 8; at += 1) state[at] = word(state, at) ^ word(v, at) ^ word(v, at + 8);
}

function mix(
  v: Uint32Array,
  [a, b, c, d]: readonly [number, number, number, number],
  words: readonly [number, number],
): void {
  for (const [at, [left, right]] of [[16, 12] as const, [8, 7] as const].entries()) {
    v[a] = word(v, a) + word(v, b) + (words[at] ?? 0);
    v[d] = turned(word(v, d) ^ word(v, a), left);
    v[c] = word(v, c) + word(v, d);
    v[b] = turned(word(v, b) ^ word(v, c), right);
  }
}

function turned(value: number, by: number): number {
  return (value >>> by) | (value << (32 - by));
}

function word(words: Uint32Array, at: number): number {
  return words[at] ?? 0;
}
