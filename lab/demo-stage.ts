/** What the steps of the demo stand on: the lab, its traffic and the onlooker at the wire. */
import { setTimeout as sleep } from 'node:timers/promises';
import { plain } from '../cli/context.ts';
import type { Driver } from '../mesh/progress.ts';
import { parseRecord } from '../mesh/record.ts';
import { parseNodeMetadata } from '../operator/kube/node.ts';
import type { AgentStatus } from '../operator/status.ts';
import { apiTarget, call } from './api-client.ts';
import { hexdump } from './capture/hexdump.ts';
import { type Capture, type CaptureReport, startCapture } from './capture/start.ts';
import { LossCount } from './demo-losses.ts';
import type { Narrator } from './demo-print.ts';
import { agentStatus } from './nodes/agents.ts';
import type { Lab } from './nodes/folder.ts';
import { labUp } from './nodes/lab.ts';
import { run } from './processes.ts';

export interface DemoOptions {
  /** Of the lab. */
  readonly name: string;
  /** What the story is told with. */
  readonly driver: Driver;
  /** argv of the program. */
  readonly program: readonly string[];
  readonly narrator: Narrator;
  readonly signal: AbortSignal;
}

/** Packets a second of each flow. */
const RATE = 25;
const LOOK_MS = 2000;
/** Bytes of a captured frame that are shown: headers and the marker. */
const SHOWN = 96;

export class Stage {
  readonly options: DemoOptions;
  readonly losses = new LossCount(RATE);
  #lab: Lab | undefined;
  #capture: Capture | undefined;

  constructor(options: DemoOptions) {
    this.options = options;
  }

  get lab(): Lab {
    if (this.#lab === undefined) throw new Error('the lab is not up');
    return this.#lab;
  }

  /** Builds the lab, and begins traffic and capture. */
  async set(): Promise<void> {
    const { name, program, narrator, signal } = this.options;
    this.#lab = await labUp({
      name,
      nodes: 3,
      ipv6: true,
      encryption: 'none',
      through: 'resource',
      controller: true,
      program,
      signal,
      progress: (line) => narrator.say(line),
    });
    this.#capture = await startCapture(this.#lab.topology);
    await this.losses.start(this.#lab);
  }

  /** Ends traffic and capture; the lab is the caller's. */
  async close(): Promise<void> {
    await this.losses.close();
    await this.endCapture();
  }

  /** @returns how many frames escaped it; undefined when it had ended before. */
  async endCapture(): Promise<number | undefined> {
    const report = await this.#capture?.stop();
    this.#capture = undefined;
    return report?.dropped;
  }

  /** The very command that a person types, at the lab's API server. */
  async sheath(command: 'enable' | 'rotate' | 'disable', ...more: readonly string[]): Promise<void> {
    const { program, narrator, signal } = this.options;
    const flags = [...more, '--wait', '--yes', '--timeout', '60s', '--kubeconfig', this.lab.kubeconfig];
    narrator.show((await run([...program, command, ...flags], { signal })).trimEnd().split('\n'));
  }

  /** Forgets what crossed the wire until now. */
  lookAway(): void {
    this.#capture?.reset();
  }

  /** What crosses the wire from now on, for a while. */
  async look(): Promise<CaptureReport> {
    this.lookAway();
    return this.lookOn();
  }

  /** What crossed it since somebody looked away, and a while longer. */
  async lookOn(): Promise<CaptureReport> {
    if (this.#capture === undefined) throw new Error('the capture ended by itself');
    await sleep(LOOK_MS, undefined, { signal: this.options.signal });
    return this.#capture.report();
  }

  /** Whether every node could be moved to that driver, as its agent says on its Node. */
  async canMoveTo(driver: Driver): Promise<boolean> {
    const { items } = (await call(await apiTarget(this.lab.kubeconfig), { path: '/api/v1/nodes' })) as {
      items: readonly object[];
    };
    return items.every((node) => {
      const metadata = parseNodeMetadata(node);
      const { agent } = metadata === undefined ? {} : parseRecord(metadata);
      return agent !== undefined && !agent.cannot.some((text) => text.startsWith(`${driver}: `));
    });
  }

  dump(title: string, frame: Buffer | undefined): void {
    if (frame === undefined) return;
    this.options.narrator.say(title);
    this.options.narrator.show(hexdump(frame, SHOWN).split('\n'));
  }

  async status(name: string): Promise<AgentStatus> {
    const node = this.lab.topology.members.find((member) => member.name === name);
    const status = node && (await agentStatus(this.lab, node));
    if (status === undefined) throw new Error(`the agent of ${name} does not answer`);
    return status;
  }

  view(status: AgentStatus) {
    return { paint: plain, wide: false, width: 75, now: status.now };
  }
}
