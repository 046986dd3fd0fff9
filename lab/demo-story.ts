/** What the demo shows, step by step. Each claim is made of what was measured just before it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { plain } from '../cli/context.ts';
import { formatPeers } from '../cli/format/peers.ts';
import { verdict } from '../cli/format/status.ts';
import type { AgentStatus } from '../operator/status.ts';
import { hexdump } from './capture/hexdump.ts';
import { type Capture, type CaptureReport, startCapture } from './capture/start.ts';
import { leftInNode } from './demo-leftovers.ts';
import { LossCount } from './demo-losses.ts';
import type { Narrator } from './demo-print.ts';
import { agentStatus } from './nodes/agents.ts';
import type { Lab } from './nodes/folder.ts';
import { killNode, labUp, setEncryption, startNode, untilSettled } from './nodes/lab.ts';

export interface DemoOptions {
  /** Of the lab. */
  readonly name: string;
  /** argv of the program. */
  readonly program: readonly string[];
  readonly narrator: Narrator;
  readonly signal: AbortSignal;
}

const OPENING = [
  'Sheath: three nodes on this machine, each a network namespace with a pod behind',
  'it, a real agent on each, and a small API server between them. All pods talk to',
  'each other all the time, in IPv4 and IPv6, while we look at the wire between the',
  'nodes. Each of their packets says "sheath-lab-marker": look for it. They are',
  'counted from when each flow has passed once in clear, to the very last.',
];

/** Packets a second of each flow. */
const RATE = 25;
const LOOK_MS = 2000;
/** Bytes of a captured frame that are shown: headers and the marker. */
const SHOWN = 96;

export class Demo {
  readonly #options: DemoOptions;
  readonly #losses: LossCount;
  #lab: Lab | undefined;
  #capture: Capture | undefined;

  constructor(options: DemoOptions) {
    this.#options = options;
    this.#losses = new LossCount(RATE);
  }

  /** @throws when something cannot be shown, or the signal aborted. */
  async tell(): Promise<void> {
    this.#options.narrator.open(OPENING);
    await this.#threeNodes();
    await this.#inClear();
    await this.#encryptionOn();
    await this.#unreadable();
    await this.#peerTable();
    await this.#nodeKilled();
    await this.#encryptionOff();
    await this.#nothingLost();
  }

  /** Ends traffic and capture; the lab is the caller's. */
  async close(): Promise<void> {
    await this.#losses.close();
    await this.#capture?.stop();
    this.#capture = undefined;
  }

  async #threeNodes(): Promise<void> {
    const { name, program, narrator, signal } = this.#options;
    narrator.step('Three nodes, no encryption');
    this.#lab = await labUp({
      name,
      nodes: 3,
      ipv6: true,
      encryption: 'none',
      through: 'flag',
      program,
      signal,
      progress: (line) => narrator.say(line),
    });
    this.#capture = await startCapture(this.#lab.topology);
    await this.#losses.start(this.#lab);
  }

  async #inClear(): Promise<void> {
    const { narrator } = this.#options;
    narrator.step('What the wire between the nodes shows: everything');
    const { clear, wireguard, samples } = await this.#look();
    this.#dump('The first frame that an onlooker sees:', samples.clear);
    narrator.claim(
      `${clear} frames with an address or the words of a pod, ${wireguard} encrypted ones`,
      clear > 0 && wireguard === 0,
    );
  }

  async #encryptionOn(): Promise<void> {
    const { narrator, name, signal } = this.#options;
    narrator.step('Encryption on: sheath agent --encryption wireguard, on each node');
    this.#lab = await setEncryption(name, 'wireguard', { signal });
    for (const node of this.#lab.topology.members) {
      const status = await this.#status(node.name);
      const isWell = status.state === 'encrypted' && status.peers.length === 2;
      narrator.claim(verdict(status, this.#view(status)), isWell);
    }
    narrator.say(this.#implementation(await this.#status('n1')));
  }

  /** Who encrypts: the kernel, or a program where it cannot. */
  #implementation({ devices }: AgentStatus): string {
    return devices.some((device) => device.implementation === 'userspace')
      ? `This kernel has no WireGuard: wireguard-go does it, in user space.`
      : `The kernel's own WireGuard does it.`;
  }

  async #unreadable(): Promise<void> {
    const { narrator } = this.#options;
    narrator.step('The same traffic on the same wire: nothing to read');
    const report = await this.#look();
    this.#dump('The first frame that an onlooker sees:', report.samples.wireguard);
    this.#nothingReadable(report);
  }

  async #peerTable(): Promise<void> {
    const { narrator } = this.#options;
    narrator.step('How n1 sees its peers: sheath peers');
    const status = await this.#status('n1');
    const rows = status.peers.map((peer) => ({ seenBy: status.node, ...peer }));
    narrator.show(formatPeers(rows, this.#view(status)).trimEnd().split('\n'), 0);
    narrator.claim(
      'both are routed and both sent and received bytes',
      rows.length === 2 &&
        rows.every((row) => row.state === 'routed' && row.receivedBytes > 0 && row.sentBytes > 0),
    );
  }

  async #nodeKilled(): Promise<void> {
    const { narrator, signal } = this.#options;
    const lab = this.#running();
    narrator.step('n3 loses power, with all that was in its memory, and comes back');
    const before = await this.#losses.without('n3');
    narrator.show(before.losers);
    narrator.claim(
      `until then, ${before.lost} of ${before.sent} packets were lost between all pods`,
      before.lost === 0,
    );
    await killNode(lab, 'n3', 'node');
    const dead = performance.now();
    await sleep(1500, undefined, { signal });
    await startNode(lab, 'n3');
    await untilSettled(lab, { signal });
    const away = ((performance.now() - dead) / 1000).toFixed(1);
    const status = await this.#status('n3');
    narrator.claim(
      `n3 is back and encrypted to both others, ${away}s after it died`,
      status.state === 'encrypted',
    );
    await this.#losses.again(lab);
    this.#nothingReadable(await this.#look());
  }

  async #encryptionOff(): Promise<void> {
    const { narrator, name, signal } = this.#options;
    narrator.step('Encryption off: sheath agent --encryption none, on each node');
    this.#lab = await setEncryption(name, 'none', { signal });
    const lab = this.#lab;
    const left = await Promise.all(lab.topology.members.map((node) => leftInNode(lab, node.name)));
    narrator.claim(
      `${left.flat().length} devices, rules, routes and tables of ours are left in the nodes`,
      left.flat().length === 0,
    );
    const { clear, wireguard } = await this.#look();
    narrator.claim(
      `${clear} frames with an address or the words of a pod, ${wireguard} encrypted ones`,
      clear > 0 && wireguard === 0,
    );
  }

  async #nothingLost(): Promise<void> {
    const { narrator } = this.#options;
    narrator.step('From first to last');
    const total = await this.#losses.stop();
    narrator.show(total.losers);
    narrator.claim(
      `${total.lost} of ${total.sent} packets were lost between the nodes that were alive`,
      total.lost === 0 && total.sent > 0,
    );
    const { dropped } = (await this.#capture?.stop()) ?? { dropped: undefined };
    this.#capture = undefined;
    narrator.claim(`${dropped} frames escaped the capture`, dropped === 0);
  }

  #nothingReadable({ clear, wireguard, clearBetween }: CaptureReport): void {
    const { narrator } = this.#options;
    narrator.show(clearBetween.map(({ from, to, frames }) => `in clear from ${from} to ${to}: ${frames}`));
    narrator.claim(
      `${clear} frames with an address or the words of a pod, ${wireguard} encrypted ones`,
      clear === 0 && wireguard > 0,
    );
  }

  /** What crosses the wire from now on, for a while. */
  async #look(): Promise<CaptureReport> {
    if (this.#capture === undefined) throw new Error('the capture ended by itself');
    this.#capture.reset();
    await sleep(LOOK_MS, undefined, { signal: this.#options.signal });
    return this.#capture.report();
  }

  #dump(title: string, frame: Buffer | undefined): void {
    if (frame === undefined) return;
    this.#options.narrator.say(title);
    this.#options.narrator.show(hexdump(frame, SHOWN).split('\n'));
  }

  async #status(name: string): Promise<AgentStatus> {
    const lab = this.#running();
    const node = lab.topology.members.find((member) => member.name === name);
    const status = node && (await agentStatus(lab, node));
    if (status === undefined) throw new Error(`the agent of ${name} does not answer`);
    return status;
  }

  #running(): Lab {
    if (this.#lab === undefined) throw new Error('the lab is not up');
    return this.#lab;
  }

  #view(status: AgentStatus) {
    return { paint: plain, wide: false, width: 75, now: status.now };
  }
}
