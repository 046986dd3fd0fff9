/** Bytes as `hexdump -C` shows them, 16 a line: `0010  45 00 …  |E.…|`; 76 columns wide. */
export function hexdump(bytes: Uint8Array, limit = 128): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, limit); at += 16) {
    const row = [...bytes.subarray(at, Math.min(at + 16, limit))];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(47)}  |${text}|`);
  }
  return lines.join('\n');
}
