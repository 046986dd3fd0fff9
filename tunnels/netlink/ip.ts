/**
 * Addresses and prefixes between their text and the bytes of netlink attributes.
 *
 * The text is canonical on both sides (RFC 5952), so it serves as a key. These run once a route in dumps of tens of thousands,
 * which is why they are not built on a general address library.
 */

export interface PrefixParts {
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** `10.0.0.1` or `2001:db8::1` to 4 or 16 bytes. The text is one that `parseAddress` made. */
export function addressBytes(text: string): Uint8Array {
  return text.includes(':') ? ipv6Bytes(text) : Uint8Array.from(text.split('.'), Number);
}

/** `10.0.0.0/8`; without a length, that of a single address. */
export function prefixParts(text: string): PrefixParts {
  const slash = text.indexOf('/');
  const bytes = addressBytes(slash < 0 ? text : text.slice(0, slash));
  return { bytes, length: slash < 0 ? bytes.length * 8 : Number(text.slice(slash + 1)) };
}

export function addressText(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join('.') : ipv6Text(bytes);
}

export function familyOf(text: string): 4 | 6 {
  return text.includes(':') ? 6 : 4;
}

function ipv6Bytes(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const bytes = new Uint8Array(16);
  bytes.set(left);
  bytes.set(right, 16 - right.length);
  return bytes;
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function ipv6Text(bytes: Uint8Array): string {
  const words: number[] = [];
  for (let i = 0; i < 16; i += 2) words.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  const zeros = longestZeros(words);
  const hex = (part: readonly number[]) => part.map((word) => word.toString(16)).join(':');
  if (zeros.length < 2) return hex(words);
  return `${hex(words.slice(0, zeros.start))}::${hex(words.slice(zeros.start + zeros.length))}`;
}

/** The first of the longest runs of zero words (RFC 5952, 4.2.3). */
function longestZeros(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let i = 0; i <= words.length; i++) {
    if (words[i] === 0) continue;
    if (i - start > best.length) best = { start, length: i - start };
    start = i + 1;
  }
  return best;
}
