/** What a node holds and does of its own: the generations that it has, on what it may send, and whether its door is shut. */
import type { DeviceName, Encryption, Mode, NodeRecord } from './types.ts';

/** "In clear" as an entry of the set that a node may send on. */
export const IN_CLEAR = 0;

export type Driver = 'wireguard' | 'ipsec';

/** Kept on disk, and published. */
export interface Stance {
  /** Oldest first, two at most; empty: nothing is encrypted. */
  readonly held: readonly HeldGeneration[];
  /**
   * What this node may still send on; 0 is in clear. Sorted. While it holds a generation and may send on none that it holds, its
   * record is being withdrawn.
   */
  readonly sending: readonly number[];
  /** Uids of the Nodes towards which it may still send in clear. */
  readonly clear: ReadonlySet<string>;
  /** What is in force: `strict` is a door that is shut. */
  readonly mode: Mode;
  /** `Target.wish` by which the door was opened last: who follows an older one may have shut his since, whatever his record says. */
  readonly openedBy?: number;
}

export interface HeldGeneration {
  readonly number: number;
  readonly driver: Driver;
  /** UDP port (WireGuard) as it was when the generation began; 0 for ipsec. */
  readonly port: number;
}

/** What is wished of this node. */
export interface Target {
  /** `none` also where the node is not selected. */
  readonly encryption: Encryption;
  readonly mode: Mode;
  readonly generation: number;
  /** Generation n listens on `port + n mod 2`. */
  readonly port: number;
  /** Milliseconds. */
  readonly drain: number;
  /** Names of Nodes that nobody waits for. */
  readonly passOver: readonly string[];
  /** What this node is unable to do: `AgentFacts.cannot`. Default: nothing. */
  readonly cannot?: readonly string[];
  /** `metadata.generation` of the resource that says so; absent where no resource does. */
  readonly wish?: number;
}

export function hold(number: number, driver: Driver, port: number): HeldGeneration {
  return { number, driver, port: driver === 'wireguard' ? port + (number % 2) : 0 };
}

export const deviceOf = (number: number): DeviceName => (number % 2 === 0 ? 'sheath0' : 'sheath1');

/** Before anything was ever wished of this node: no key; the door shut at once where that is the wish. */
export function firstStance(target: Target): Stance {
  const mode = doorOf(target);
  return { held: [], sending: mode === 'strict' ? [] : [IN_CLEAR], clear: new Set(), mode };
}

export function doorOf({ encryption, mode }: Pick<Target, 'encryption' | 'mode'>): Mode {
  return encryption === 'none' ? 'permissive' : mode;
}

/** Whether what this node holds is for others to know: not while its record is being withdrawn. */
export function isPublished({ held, sending }: Stance): boolean {
  return held.some(({ number }) => sending.includes(number));
}

/** The same object when nothing is another. */
export function change(stance: Stance, parts: Partial<Stance>): Stance {
  const next = { ...stance, ...parts };
  return sameStance(stance, next) ? stance : next;
}

export function sameStance(a: Stance, b: Stance): boolean {
  if (a === b) return true;
  const sameClear = a.clear.size === b.clear.size && [...a.clear].every((uid) => b.clear.has(uid));
  return sameClear && a.openedBy === b.openedBy && textOf(a) === textOf(b);
}

/** All of a stance but for who is sent to in clear: what others may see of it. */
export function textOf({ held, sending, mode }: Stance): string {
  return JSON.stringify([held.map(({ number, driver, port }) => [number, driver, port]), sending, mode]);
}

export function adding(sending: readonly number[], number: number): readonly number[] {
  return sending.includes(number) ? sending : [...sending, number].sort((a, b) => a - b);
}

export function without(sending: readonly number[], number: number): readonly number[] {
  return sending.includes(number) ? sending.filter((one) => one !== number) : sending;
}

export interface Kept {
  readonly stance: Stance | undefined;
  /** Our own Node, as far as it is known. */
  readonly own: NodeRecord | undefined;
  /** The keys on this disk. */
  readonly keys: readonly {
    readonly generation: number;
    readonly driver: Driver;
    readonly publicKey: string;
  }[];
}

/**
 * The stance that a fresh agent goes on with. The disk is written before anything is done or said, so it knows best; where it has
 * none (lost, or an older version's), our own Node says what we promised, as far as we have the keys. Undefined: begin anew.
 */
export function adopt({ stance, own, keys }: Kept): Stance | undefined {
  if (stance !== undefined) {
    const there = stance.held.filter(({ number, driver }) =>
      keys.some((key) => key.generation === number && key.driver === driver),
    );
    // Stopped between the key's removal and the next time.
    return there.length === 0 ? stance : change(stance, { held: there });
  }
  const held = (own?.generations ?? [])
    .filter(({ number, publicKey }) =>
      keys.some((key) => key.generation === number && key.publicKey === publicKey),
    )
    .map((one) => ({
      number: one.number,
      driver: one.driver,
      port: one.driver === 'wireguard' ? one.port : 0,
    }))
    .slice(-2);
  const newest = held.at(-1);
  if (newest === undefined) return undefined;
  const promised = (own?.sending ?? []).filter(
    (number) => number !== IN_CLEAR && held.some((one) => one.number === number),
  );
  const mode = own?.agent?.mode ?? 'permissive';
  return { held, sending: promised.length > 0 ? promised : [newest.number], clear: new Set(), mode };
}
