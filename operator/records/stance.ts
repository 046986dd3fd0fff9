/**
 * The node's stance on disk, written before it is acted on: so an agent that is stopped anywhere goes on from where it was. A damaged
 * one is dropped and said; our own Node and the keys tell most of it.
 */
import { join } from 'node:path';
import type { HeldGeneration, Stance } from '../../mesh/stance.ts';
import { writeAtomically } from '../files.ts';
import { loadState, type OnDamage } from '../state-file.ts';

const FILE = 'stance.json';
const VERSION = 1;

export function stancePath(stateDir: string): string {
  return join(stateDir, FILE);
}

/** Undefined when there is none, or it is damaged (then `onDamage` hears of it). @throws OperatorError `STATE_DIR_UNREADABLE` */
export function loadStance(stateDir: string, onDamage: OnDamage): Promise<Stance | undefined> {
  return loadState(stancePath(stateDir), parseStance, onDamage);
}

/** @throws the error of node:fs */
export async function saveStance(stateDir: string, stance: Stance): Promise<void> {
  await writeAtomically(stancePath(stateDir), formatStance(stance), 0o600);
}

export function formatStance({ clear, ...stance }: Stance): string {
  return `${JSON.stringify({ version: VERSION, ...stance, clear: [...clear] })}\n`;
}

/** @throws Error that says what is wrong */
export function parseStance(content: unknown): Stance {
  const { version, held, sending, clear, mode, openedBy } = record(content);
  if (version !== VERSION) throw new Error(`version ${String(version)}, expected ${VERSION}`);
  if (mode !== 'strict' && mode !== 'permissive') throw new Error(`mode ${String(mode)}`);
  return {
    held: list(held).map(parseHeld),
    sending: list(sending).map(whole),
    clear: new Set(list(clear).map(String)),
    mode,
    ...(openedBy === undefined ? {} : { openedBy: whole(openedBy) }),
  };
}

function parseHeld(content: unknown): HeldGeneration {
  const { number, driver, port } = record(content);
  if (driver !== 'wireguard' && driver !== 'ipsec') throw new Error(`driver ${String(driver)}`);
  return { number: whole(number), driver, port: whole(port) };
}

function whole(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new Error(`${String(value)} is no whole number`);
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error(`${String(value)} is no list`);
}

function record(content: unknown): Record<string, unknown> {
  if (typeof content !== 'object' || content === null) throw new Error('expected an object');
  return content as Record<string, unknown>;
}
