/** How the demo tells its story: steps, and claims that were measured. */
import { styleText } from 'node:util';

type Stream = NodeJS.WritableStream;

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

  /** Before the first step. */
  open(lines: readonly string[]): void {
    this.#write(`${lines.join('\n')}\n`);
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
  show(lines: readonly string[], indent = 3): void {
    for (const line of lines) this.#write(`${' '.repeat(indent)}${line}\n`);
  }

  /** Says whether it holds, and remembers it. */
  claim(text: string, holds: boolean): void {
    this.#claims.push({ text, holds });
    this.#write(`   ${holds ? this.#paint('green', 'yes') : this.#paint('red', 'NO ')} ${text}\n`);
  }

  /** It could not go on: that is as bad as a claim that does not hold. */
  failed(why: string): void {
    this.#claims.push({ text: why, holds: false });
    this.#write(`   ${this.#paint('red', `cut short: ${why}`)}\n`);
  }

  /** The last line of all. @returns whether every claim holds */
  end(): boolean {
    const all = this.#claims.length;
    const failed = this.#claims.filter(({ holds }) => !holds).length;
    const well = failed === 0;
    const text = well
      ? `All ${all} claims were measured and hold, in ${this.elapsed}.`
      : `${failed} of ${all} claims DO NOT hold.`;
    this.#write(`\n${this.#paint(well ? 'green' : 'red', text)}\n`);
    return well;
  }

  #paint(style: Parameters<typeof styleText>[0], text: string): string {
    return styleText(style, text, { stream: this.#out });
  }

  #write(text: string): void {
    this.#out.write(text);
  }
}
