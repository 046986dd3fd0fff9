/** The program itself, `sheath agent`, as a child, and what the kernel says of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KernelWireGuard } from 'wireguard-tools-wrapper';
import { nodeName, SELF } from './cluster.ts';
import { cpuOf, memoryOf } from './proc.ts';
import { row } from './rows.ts';

const PROGRAM = path.join(import.meta.dirname, '../dist/sheath.mjs');
const DEVICES = ['sheath0', 'sheath1'];
/** Milliseconds after which memory is looked at. */
const REST = 30_000;

export class AgentProcess {
  readonly began = performance.now();
  readonly folder: string;
  readonly #child: ChildProcess;

  /** @param before folder of one that ended, which is continued */
  constructor(
    kubeconfig: string,
    flags: readonly string[] = [],
    { encryption = 'wireguard', before }: { encryption?: string; before?: string } = {},
  ) {
    this.folder = before ?? mkdtempSync(path.join(tmpdir(), 'sheath-bench-agent-'));
    const log = openSync(path.join(this.folder, 'log'), 'w');
    const args = [
      'agent',
      '--node-name',
      nodeName(SELF),
      '--encryption',
      encryption,
      '--kubeconfig',
      kubeconfig,
    ];
    const folders = [
      '--state-dir',
      path.join(this.folder, 'state'),
      '--run-dir',
      path.join(this.folder, 'run'),
    ];
    this.#child = spawn('node', [PROGRAM, ...args, ...folders, '--http', 'none', ...flags], {
      stdio: ['ignore', log, log],
    });
  }

  /** CPU seconds of it and of the children that ended. */
  cpu(): number {
    return cpuOf(this.#pid);
  }

  /** VmRSS in MiB. */
  memory(): number {
    return memoryOf(this.#pid);
  }

  log(): string {
    return readFileSync(path.join(this.folder, 'log'), 'utf8');
  }

  /** Resolves when its device has `count` peers, looked at every `pace` milliseconds. @throws Error when it ended or took too long */
  async untilPeers(count: number, pace = 20): Promise<void> {
    const wireguard = new KernelWireGuard();
    const deadline = performance.now() + 180_000;
    try {
      while ((await peers(wireguard)) < count) {
        if (this.#child.exitCode !== null) throw new Error(`the agent ended\n${this.log()}`);
        if (performance.now() > deadline)
          throw new Error(`fewer than ${count} peers\n${this.log().slice(-4000)}`);
        await sleep(pace);
      }
    } finally {
      wireguard.close();
    }
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.#child.kill(signal);
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  get #pid(): number {
    if (this.#child.pid === undefined) throw new Error('the agent did not start');
    return this.#child.pid;
  }
}

/** What it holds when nothing happens any more. */
export async function restingMemory(agent: AgentProcess, count: number): Promise<void> {
  await sleep(REST);
  const mark = { atMost: count === 1000 ? 100 : 125 };
  row({ what: 'agent: VmRSS at rest', where: `${count} nodes`, value: agent.memory(), unit: 'MiB', mark });
}

async function peers(wireguard: KernelWireGuard): Promise<number> {
  const device = DEVICES.find((name) => existsSync(`/sys/class/net/${name}`));
  if (device === undefined) return 0;
  return (await wireguard.show(device)).peers.length;
}
