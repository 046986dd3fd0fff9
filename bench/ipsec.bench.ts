// kernel bench
/** From records to N sessions that are sent by, against a `swanctl.conf` by hand. One charon answers as all the others. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { routeLines, ruleLines } from './by-hand.ts';
import { IpsecByHand } from './ipsec/by-hand.ts';
import { ipsecRecords } from './ipsec/cluster.ts';
import { XfrmCounter } from './ipsec/counts.ts';
import { addEnds, Ends, removeEnds } from './ipsec/ends.ts';
import { IpsecMesh, ipsecWanted, type Wanted } from './ipsec/ours.ts';
import { clean, sh } from './machine.ts';
import { cpuOf, memoryOf } from './proc.ts';
import { median, row } from './rows.ts';

const ROUNDS = 3;
const COUNTS = [100, 500, 1000];
/** Policies by which a peer is sent to: its prefixes and addresses, of both families. */
const PREFIXES = 4;
/** Milliseconds. */
const STEP = 50;
const PATIENCE = 300_000;

interface Figures {
  /** Milliseconds until all is loaded, and until all sessions are there. */
  readonly loaded: number;
  readonly all: number;
  /** CPU seconds. */
  readonly charon: number;
  readonly besides: number;
  /** MiB. */
  readonly memory: number;
}

const counter = new XfrmCounter();
for (const count of COUNTS) await measure(count);
counter.close();
process.exit();

async function measure(count: number): Promise<void> {
  addEnds(count);
  const folder = mkdtempSync(path.join(tmpdir(), 'sheath-bench-ends-'));
  const ends = new Ends(folder, count);
  const { self, others } = ipsecRecords(count);
  const wanted = ipsecWanted(self, others);
  const [ours, byHand]: [Figures[], Figures[]] = [[], []];
  let reference: IpsecByHand | undefined;
  for (let round = 0; round < ROUNDS; round += 1) {
    await ends.start();
    const mesh = new IpsecMesh();
    ours.push(await ofOurs(mesh, wanted, count));
    reference ??= writeReference(wanted, path.join(folder, 'by-hand'));
    await wipe(mesh);
    await ends.start();
    byHand.push(await ofHand(reference, count));
    await reference.stop();
    wipeKernel();
  }
  await ends.stop();
  removeEnds();
  tell(`${count} peers`, ours, byHand);
}

async function ofOurs(mesh: IpsecMesh, wanted: Wanted, count: number): Promise<Figures> {
  const load = async () => {
    await mesh.open();
    await mesh.set(wanted);
  };
  return figures('ours', { count, load, charon: () => mesh.charonPid });
}

async function ofHand(reference: IpsecByHand, count: number): Promise<Figures> {
  return figures('by hand', { count, load: () => reference.bringUp(), charon: () => reference.pid });
}

interface Contender {
  readonly count: number;
  readonly load: () => Promise<void>;
  readonly charon: () => number;
}

async function figures(who: string, { count, load, charon }: Contender): Promise<Figures> {
  const cpu = cpuOf(process.pid);
  const began = performance.now();
  await load();
  const loaded = performance.now() - began;
  await untilAll(count);
  const all = performance.now() - began;
  mark(`${who} ${count}`, all);
  const besides = cpuOf(process.pid) - cpu;
  return { loaded, all, charon: cpuOf(charon()), besides, memory: memoryOf(charon()) };
}

/** For whoever measures from outside what this machine had to give. */
function mark(what: string, milliseconds: number): void {
  console.error('mark', what, Date.now() - milliseconds, Date.now());
}

async function untilAll(count: number): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const { states, out } = await counter.read();
    if (states >= 2 * count && out >= PREFIXES * count) return;
    if (performance.now() > deadline)
      throw new Error(`${states} states and ${out} policies of ${count} sessions`);
    await sleep(STEP);
  }
}

/** What ours has at the end is written down for the other. */
function writeReference({ plan, routes }: Wanted, folder: string): IpsecByHand {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = (name: string, text: string): string => {
    writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  const hasFirewall = sh('nft -s list tables').includes('inet sheath');
  return new IpsecByHand(plan, folder, {
    routes: file('routes', routeLines(routes, 'sheath1')),
    rules: [file('rules4', ruleLines(routes, 4)), file('rules6', ruleLines(routes, 6))],
    firewall: hasFirewall ? file('nft', sh('nft -s list table inet sheath')) : undefined,
  });
}

async function wipe(mesh: IpsecMesh): Promise<void> {
  const { charonPid } = mesh;
  await mesh.close();
  process.kill(charonPid, 'SIGKILL');
  await sleep(200);
  wipeKernel();
}

function wipeKernel(): void {
  sh('ip xfrm state flush; ip xfrm policy flush');
  clean();
}

function tell(where: string, ours: readonly Figures[], byHand: readonly Figures[]): void {
  const both = [
    ['', ours],
    ['by hand, ', byHand],
  ] as const;
  for (const [who, figures] of both) {
    const of = (name: keyof Figures) => median(figures.map((one) => one[name]));
    const what = (text: string) => `${who}${text}`;
    row({ what: what('loaded'), where, value: of('loaded') / 1000, unit: 's' });
    row({ what: what('all sessions sent by'), where, value: of('all') / 1000, unit: 's' });
    row({ what: what('CPU of charon'), where, value: of('charon'), unit: 'CPU s' });
    row({ what: what('CPU of the rest'), where, value: of('besides'), unit: 'CPU s' });
    row({ what: what('VmRSS of charon'), where, value: of('memory'), unit: 'MiB' });
  }
  const ratio = median(ours.map(({ all }) => all)) / median(byHand.map(({ all }) => all));
  row({ what: 'ours : by hand', where, value: ratio, unit: 'x', mark: { atMost: 1.3 } });
  console.error(where, JSON.stringify({ ours, byHand }));
}
