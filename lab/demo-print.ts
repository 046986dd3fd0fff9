/** How the demo tells its story: steps, claims that were measured, bytes. All but `Narrator` are pure. */
import { styleText } from 'node:util';

type Stream = NodeJS.WritableStream;

const BYTES_A_LINE = 16;

/** Like `hexdump -C`: offset, bytes, and what of them is text; 76 columns. */
export function hexdump(bytes: Uint8Array, lines: number): readonly string[] {
  const rows: string[] = [];
  for (let offset = 0; offset < bytes.length && rows.length < lines; offset += BYTES_A_LINE) {
    const row = bytes.subarray(offset, offset + BYTES_A_LINE);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = Array.from(row, (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.',
    ).join('');
    rows.push(`${offset.toString(16).padStart(4, '0')}  ${hex.padEnd(BYTES_A_LINE * 3 - 1)}  ${text}`);
  }
  return rows;
}

/** The lines of the dump from the one that holds `at`, when there is such a place; else from the start. */
export function dumpFrom(bytes: Uint8Array, at: number, lines: number): readonly string[] {
  const first = at < 0 ? 0 : Math.floor(at / BYTES_A_LINE);
  return hexdump(bytes, first + lines).slice(first);
}

/** A claim, and whether what was measured bears it out. */
export interface Claim {
  readonly text: string;
  readonly holds: boolean;
}

/** Writes the story as it happens, and keeps every claim. */
export class Narrator {
  readonly #out: Stream;
  readonly #now: () => number;
  readonly #start: number;
  readonly #claims: Claim[] = [];
  #steps = 0;

  /** @param now Milliseconds, of any origin. */
  constructor(out: Stream, now: () => number) {
    this.#out = out;
    this.#now = now;
    this.#start = now();
  }

  get claims(): readonly Claim[] {
    return this.#claims;
  }

  /** Seconds since the start. */
  get elapsed(): string {
    return `${((this.#now() - this.#start) / 1000).toFixed(1)}s`;
  }

  step(title: string): void {
    this.#steps += 1;
    const heading = `${this.#steps}. ${title}`;
    this.#write(
      `\n${this.#paint('bold', heading)}${this.elapsed.padStart(Math.max(1, 78 - heading.length))}\n`,
    );
  }

  say(text: string): void {
    this.#write(`   ${text}\n`);
  }

  /** Lines as they are: a dump, a table. */
  show(lines: readonly string[]): void {
    for (const line of lines) this.#write(`     ${line}\n`);
  }

  /** Says whether it holds, and remembers it. */
  claim(text: string, holds: boolean): void {
    this.#claims.push({ text, holds });
    this.#write(`   ${holds ? this.#paint('green', 'yes') : this.#paint('red', 'NO ')} ${text}\n`);
  }

  #paint(style: Parameters<typeof styleText>[0], text: string): string {
    return styleText(style, text, { stream: this.#out });
  }

  #write(text: string): void {
    this.#out.write(text);
  }
}
