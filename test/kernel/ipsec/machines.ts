/**
 * Nodes as network namespaces on one bridge, each with a pod behind it and a process with a dataplane in it.
 *
 *   pod1 ─ 10.244.1.2 ─ n1 ─ 192.0.2.1 ─┐
 *   pod2 ─ 10.244.2.2 ─ n2 ─ 192.0.2.2 ─┼─ br0 in "hub"
 *   pod3 ─ 10.244.3.2 ─ n3 ─ 192.0.2.3 ─┘
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Observation } from '../../../mesh/types.ts';
import type { Change, IkeRefusal, Report } from '../../../tunnels/dataplane.ts';
import type { IpsecSettings } from '../../../tunnels/ipsec/settings.ts';
import type { IpsecShape } from './shape.ts';

export function sh(script: string): string {
  return execFileSync('sh', ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Milliseconds. */
const START = 30_000;

export class Machine {
  readonly number: number;
  readonly name: string;
  readonly folder: string;
  readonly #settings: IpsecSettings;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #process: ChildProcess | undefined;
  #next = 0;

  constructor(number: number, folder: string, settings: IpsecSettings) {
    this.number = number;
    this.name = `n${number}`;
    this.folder = join(folder, this.name);
    this.#settings = settings;
  }

  on(script: string): string {
    return sh(`ip netns exec ${this.name} sh -c '${script.replaceAll("'", "'\\''")}'`);
  }

  /** @param vici socket of a charon that is not the dataplane's own */
  start(vici?: string): void {
    const script = join(import.meta.dirname, 'node.ts');
    const args = ['--conditions=source', '--disable-warning=ExperimentalWarning', script, this.folder];
    const command = [
      process.execPath,
      ...args,
      JSON.stringify(this.#settings),
      ...(vici === undefined ? [] : [vici]),
    ];
    sh(`mkdir -p -m 0700 ${this.folder}/state`);
    const child = spawn('ip', ['netns', 'exec', this.name, ...command], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#process = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [id, answer] = JSON.parse(line) as [number, { value: never; error?: string }];
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (answer.error === undefined) waiting?.resolve(answer.value);
      else waiting?.reject(new Error(`${this.name}: ${answer.error}`));
    });
  }

  /** Again while charon is only waited for, which on a busy machine takes long to start. */
  async set(shape: IpsecShape): Promise<Report> {
    const changes: Change[] = [];
    for (const deadline = performance.now() + START; ; ) {
      const report = await this.#ask<Report>('set', shape);
      changes.push(...report.changes);
      const starting =
        report.errors.length > 0 && report.errors.every(({ code }) => code === 'CHARON_FAILED');
      if (!starting || performance.now() > deadline) return { ...report, changes };
      await sleep(500);
    }
  }

  preview(shape: IpsecShape): Promise<Change[]> {
    return this.#ask('preview', shape);
  }

  observe(): Promise<Observation[]> {
    return this.#ask('observe');
  }

  /** What it told of sessions that were refused, and how often each. */
  said(): Promise<[IkeRefusal, number][]> {
    return this.#ask('said');
  }

  /** As a crash of the agent: what it left goes on. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    this.#waiting.clear();
  }

  log(): string {
    return readFileSync(`${this.folder}/charon.log`, 'utf8');
  }

  /** 0: there is none. */
  charonPid(): number {
    const path = `${this.folder}/ipsec/charon.pid`;
    return existsSync(path) ? Number.parseInt(readFileSync(path, 'utf8'), 10) : 0;
  }

  /** Kernel counters of what IPsec refused, those that are not 0. */
  refusals(): Record<string, number> {
    const lines = this.on('cat /proc/net/xfrm_stat').trim().split('\n');
    const pairs = lines.map((line) => line.split(/\s+/)).map(([name = '', count]) => [name, Number(count)]);
    return Object.fromEntries(pairs.filter(([, count]) => count !== 0));
  }

  #ask<T>(verb: string, argument?: IpsecShape): Promise<T> {
    const id = this.#next++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process?.stdin?.write(`${JSON.stringify([id, verb, argument])}\n`);
    });
  }
}

export class Machines {
  readonly all: readonly Machine[];
  readonly #folder = mkdtempSync(join(tmpdir(), 'sheath-ipsec-'));

  constructor(count: number, settings: IpsecSettings) {
    sh(`ip netns add hub; ip -n hub link add br0 type bridge; ip -n hub link set br0 up`);
    this.all = Array.from({ length: count }, (_, i) => new Machine(i + 1, this.#folder, settings));
    for (const { number } of this.all) sh(network(number));
    for (const machine of this.all) machine.start();
  }

  at(index: number): Machine {
    const machine = this.all[index];
    if (machine === undefined) throw new Error(`there is no machine ${index}`);
    return machine;
  }

  async close(): Promise<void> {
    for (const machine of this.all) await machine.kill();
    for (const { name } of this.all)
      sh(`ip netns pids ${name} | xargs -r kill -9; ip netns del ${name}; ip netns del pod${name.slice(1)}`);
    sh('ip netns del hub');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function network(n: number): string {
  return `
    set -e
    ip netns add n${n}; ip netns add pod${n}
    ip link add under0 netns n${n} type veth peer name u${n} netns hub
    ip -n hub link set u${n} master br0 up
    ip -n n${n} link set lo up; ip -n n${n} link set under0 up
    ip -n n${n} addr add 192.0.2.${n}/24 dev under0; ip -n n${n} addr add 2001:db8::${n}/64 dev under0 nodad
    ip link add pods netns n${n} type veth peer name eth0 netns pod${n}
    ip -n n${n} link set pods up; ip -n pod${n} link set eth0 up; ip -n pod${n} link set lo up
    ip -n n${n} addr add 10.244.${n}.1/24 dev pods; ip -n n${n} addr add fd00:10:244:${n}::1/64 dev pods nodad
    ip -n pod${n} addr add 10.244.${n}.2/24 dev eth0; ip -n pod${n} addr add fd00:10:244:${n}::2/64 dev eth0 nodad
    ip -n pod${n} route add default via 10.244.${n}.1; ip -n pod${n} -6 route add default via fd00:10:244:${n}::1
    ip netns exec n${n} sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
  `;
}

/** Polls until it does not throw any more, or throws the last of it. */
export async function eventually<T>(task: () => Promise<T> | T, seconds = 20): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    try {
      return await task();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}
