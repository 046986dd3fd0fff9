/**
 * `rp_filter` of the devices that packets come in on while only one end has moved its routes.
 *
 * With 1 (strict, RFC 3704), the kernel drops a packet whose answer would leave by another device: the peer's packets in clear
 * on the underlay once ours leave by the tunnel, its tunnel's packets while ours still leave in clear. 2 (loose) asks only that
 * there is a way back at all. The kernel takes the higher of a device's value and that of `conf.all`, so the device's is enough,
 * and `conf.all` is never touched (linux: Documentation/networking/ip-sysctl.rst).
 */
import { readFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { change, codeOf, type Outcome, refused } from './failure.ts';

export const PROC_SYS = '/proc/sys';

const STRICT = '1';
const LOOSE = '2';

export interface SysctlOptions {
  /** Holds `sysctls.json`: what was before us, by path below /proc/sys. */
  readonly stateDir: string;
  /** Default: `/proc/sys`. */
  readonly root?: string;
  /** Tells what would be written, and writes nothing. */
  readonly dry?: boolean;
}

export interface SysctlRequest {
  readonly ours: readonly string[];
  readonly underlay: readonly string[];
}

export class Sysctls {
  readonly #options: SysctlOptions;
  #recorded: Map<string, string> | undefined;
  /** What we wrote or found as wanted before. */
  readonly #settled = new Set<string>();

  constructor(options: SysctlOptions) {
    this.#options = options;
  }

  /** Loosens what is too strict. What was before on devices that are not ours is recorded first. */
  async set({ ours, underlay }: SysctlRequest, outcome: Outcome): Promise<void> {
    for (const device of underlay) {
      await this.#guard(device, outcome, async (name) => {
        if (this.#get(name) !== STRICT) return this.#settle(name);
        const recorded = await this.#records();
        if (!recorded.has(name)) await this.#record(new Map([...recorded, [name, STRICT]]));
        await this.#put(name, LOOSE, outcome);
      });
    }
    for (const device of ours) {
      await this.#guard(device, outcome, async (name) => {
        if (this.#get(name) === LOOSE) return this.#settle(name);
        await this.#put(name, LOOSE, outcome);
      });
    }
  }

  /** Puts back all that was recorded. */
  async restore(outcome: Outcome): Promise<void> {
    for (const [name, before] of await this.#records()) {
      try {
        // Whoever changed it since knows better than our record.
        this.#settled.delete(name);
        if (this.#get(name) === LOOSE) await this.#put(name, before, outcome);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') {
          outcome.failed(refused('sysctl', name, error));
          continue;
        }
      }
      const rest = new Map(await this.#records());
      rest.delete(name);
      await this.#record(rest);
    }
  }

  async #guard(device: string, outcome: Outcome, task: (name: string) => Promise<void>): Promise<void> {
    const name = rpFilter(device);
    try {
      await task(name);
    } catch (error) {
      // No such file: the device just went, which is told elsewhere.
      if (codeOf(error) !== 'ENOENT') outcome.failed(refused('sysctl', name, error));
    }
  }

  #settle(name: string): void {
    this.#settled.add(name);
  }

  /** At once: the kernel answers from memory, and a thread to wait for costs more. */
  #get(name: string): string {
    try {
      return readFileSync(this.#path(name), 'utf8').trim();
    } catch (error) {
      // The device that a preview would make has no file yet.
      if (this.#options.dry === true && codeOf(error) === 'ENOENT') return '';
      throw error;
    }
  }

  async #put(name: string, value: string, outcome: Outcome): Promise<void> {
    if (this.#options.dry !== true) await writeFile(this.#path(name), value);
    outcome.changed(
      change('sysctl', 'change', { what: `${name} = ${value}`, repaired: this.#settled.has(name) }),
    );
    if (value === LOOSE) this.#settle(name);
  }

  #path(name: string): string {
    return join(this.#options.root ?? PROC_SYS, name);
  }

  async #records(): Promise<Map<string, string>> {
    this.#recorded ??= await readRecords(this.#file);
    return this.#recorded;
  }

  async #record(records: Map<string, string>): Promise<void> {
    this.#recorded = records;
    if (this.#options.dry === true) return;
    await mkdir(this.#options.stateDir, { recursive: true, mode: 0o700 });
    const temporary = `${this.#file}.new`;
    await writeFile(temporary, `${JSON.stringify(Object.fromEntries(records), null, 2)}\n`, { mode: 0o600 });
    await rename(temporary, this.#file);
  }

  get #file(): string {
    return join(this.#options.stateDir, 'sysctls.json');
  }
}

/** Slashes, as under /proc/sys: a device's name may hold dots (`eth0.100`), never slashes. */
const rpFilter = (device: string) => `net/ipv4/conf/${device}/rp_filter`;

async function readRecords(file: string): Promise<Map<string, string>> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return new Map();
    const entries = Object.entries(parsed).filter(
      (entry): entry is [string, string] =>
        /^net\/ipv4\/conf\/[^/]+\/rp_filter$/.test(entry[0]) && (entry[1] === '0' || entry[1] === '1'),
    );
    return new Map(entries);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return new Map();
    throw error;
  }
}
